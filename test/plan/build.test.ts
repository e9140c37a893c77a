/** Plans of any fleet: everybody once, the critical last, canaries spread, the same plan again. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Host, Role } from "../../src/inventory/model.ts";
import type { Policy, Quantity } from "../../src/plan/policy.ts";
import { targetOf, toleranceOf } from "../../src/plan/quantity.ts";
import { defaultLadder } from "../../src/plan/waves.ts";
import { aHost, anInventory, aPlan, FAST, system } from "../support/fleet.ts";

const pct = (p: number): Quantity => ({ kind: "percent", pct: p });

const someHosts = (max: number) =>
  fc
    .array(
      fc.record({
        role: fc.constantFrom<Role>("peer", "peer", "peer", "gateway", "bootstrap"),
        site: fc.constantFrom("gent", "brugge", "aalst"),
        arch: fc.constantFrom("x86_64-linux" as const, "aarch64-linux" as const),
        canary: fc.constantFrom(undefined, undefined, undefined, "always" as const, "never" as const),
        order: fc.constantFrom(0, 0, 1),
      }),
      { minLength: 1, maxLength: max },
    )
    .map((list) =>
      list.map(
        ({ role, canary, order, ...h }, i): Host =>
          aHost(`h-${String(i).padStart(3, "0")}`, role, {
            ...h,
            rollout: { order, ...(canary === undefined ? {} : { canary }) },
          }),
      ),
    );

const somePolicy: fc.Arbitrary<Partial<Policy>> = fc.record({
  order: fc.constantFrom<readonly Role[]>(
    ["peer", "gateway", "bootstrap"],
    ["bootstrap", "gateway", "peer"],
    ["gateway", "peer", "bootstrap"],
  ),
  canary: fc
    .record({ pct: fc.integer({ min: 1, max: 100 }), max: fc.integer({ min: 1, max: 10 }) })
    .map((c) => ({
      ...FAST.canary,
      count: pct(c.pct),
      max: c.max,
    })),
  waves: fc
    .uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 4 })
    .map((list) => [...list.sort((a, b) => a - b), 100].map(pct)),
});

const some = fc.record({ hosts: someHosts(40), policy: somePolicy });

describe("waves", () => {
  test("every host is in exactly one wave, and says why", () => {
    fc.assert(
      fc.property(some, ({ hosts, policy }) => {
        const plan = aPlan(anInventory(hosts, policy));
        const placed = plan.waves.flatMap((w) => w.hosts);
        expect([...placed].sort()).toEqual(hosts.map((h) => h.name).sort());
        expect(plan.waves.map((w) => w.index)).toEqual(plan.waves.map((_, i) => i + 1));
        expect(plan.waves.every((w) => w.hosts.length > 0)).toBe(true);
        expect(plan.hosts.every((h) => h.why !== "")).toBe(true);
      }),
    );
  });

  test("no wave mixes roles, canaries apart; roles follow the order of the policy", () => {
    fc.assert(
      fc.property(some, ({ hosts, policy }) => {
        const inventory = anInventory(hosts, policy);
        const plan = aPlan(inventory);
        const role = new Map(hosts.map((h) => [h.name, h.role]));
        const roles = plan.waves
          .filter((w) => w.kind === "wave")
          .map((w) => [...new Set(w.hosts.map((name) => role.get(name)))]);
        expect(roles.every((r) => r.length === 1)).toBe(true);
        const places = roles.map(([r]) => inventory.policy.order.indexOf(r ?? "peer"));
        expect(places).toEqual([...places].sort((a, b) => a - b));
      }),
    );
  });

  test("each target is reached exactly, counted over the whole fleet, canaries included", () => {
    fc.assert(
      fc.property(some, ({ hosts, policy }) => {
        const inventory = anInventory(hosts, policy);
        const plan = aPlan(inventory);
        let done = 0;
        const sums = plan.waves.map((w) => (done += w.hosts.length));
        for (const target of inventory.policy.waves ?? []) {
          const n = targetOf(target, hosts.length);
          const canaries = plan.waves.find((w) => w.kind === "canary")?.hosts.length ?? 0;
          if (n > canaries) expect(sums).toContain(n);
        }
        expect(sums.at(-1)).toBe(hosts.length);
      }),
    );
  });

  test("tolerated failures are a share of the wave, not of the fleet", () => {
    fc.assert(
      fc.property(some, fc.integer({ min: 0, max: 100 }), ({ hosts, policy }, p) => {
        const maxFailures = { canary: pct(p), wave: pct(p) };
        for (const w of aPlan(anInventory(hosts, { ...policy, maxFailures })).waves)
          expect(w.maxFailures).toBe(toleranceOf(pct(p), w.hosts.length));
      }),
    );
  });

  test.each([1, 4, 5, 49, 50, 499, 500, 4999, 5000, 50_000])(
    "the ladder for %i hosts only climbs, to the top",
    (n) => {
      const rungs = defaultLadder(n).map((q) => targetOf(q, n));
      expect(rungs).toEqual([...new Set(rungs)].sort((a, b) => a - b));
      expect(rungs.at(-1)).toBe(n);
    },
  );
});

describe("canaries", () => {
  const canariesOf = (hosts: readonly Host[], policy: Partial<Policy>) =>
    aPlan(anInventory(hosts, policy)).waves.find((w) => w.kind === "canary")?.hosts ?? [];

  test("as many as asked, of those that may be", () => {
    fc.assert(
      fc.property(some, ({ hosts, policy }) => {
        const inventory = anInventory(hosts, policy);
        const { order, canary } = inventory.policy;
        const first = order.find((role) => hosts.some((h) => h.role === role));
        const may = hosts.filter(
          (h) => h.rollout.canary !== "never" && (h.role === first || h.rollout.canary === "always"),
        );
        const asked = Math.min(targetOf(canary.count, hosts.length), canary.max, may.length);
        expect(canariesOf(hosts, policy)).toHaveLength(asked);
      }),
    );
  });

  test("never those that must not, first those that always do", () => {
    fc.assert(
      fc.property(some, ({ hosts, policy }) => {
        const picked = new Set(canariesOf(hosts, policy));
        expect(hosts.some((h) => h.rollout.canary === "never" && picked.has(h.name))).toBe(false);
        const always = hosts.filter((h) => h.rollout.canary === "always");
        const ordinary = [...picked].filter((name) => !always.some((h) => h.name === name));
        if (ordinary.length > 0) expect(always.every((h) => picked.has(h.name))).toBe(true);
      }),
    );
  });

  test("no second canary in a site while another site has none", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("gent", "brugge", "aalst"), { minLength: 3, maxLength: 30 }),
        fc.integer({ min: 1, max: 6 }),
        (sites: readonly string[], n) => {
          const hosts = sites.map((site, i) => aHost(`h-${i}`, "peer", { site }));
          const canary = { ...FAST.canary, count: { kind: "count", n } as const, spread: ["site" as const] };
          const picked = canariesOf(hosts, { canary });
          const per = new Map([...new Set(sites)].map((s) => [s, 0]));
          const room = new Map([...per.keys()].map((s) => [s, sites.filter((x) => x === s).length]));
          for (const name of picked) {
            const site = hosts.find((h) => h.name === name)?.site ?? "";
            per.set(site, (per.get(site) ?? 0) + 1);
          }
          const open = [...per]
            .filter(([site, taken]) => taken < (room.get(site) ?? 0))
            .map(([, taken]) => taken);
          if (open.length > 0) expect(Math.max(...per.values())).toBeLessThanOrEqual(Math.min(...open) + 1);
        },
      ),
    );
  });

  test("every version and architecture that differs is tried first when there is room", () => {
    const hosts = Array.from({ length: 12 }, (_, i) =>
      aHost(`h-${i}`, "peer", { arch: i < 11 ? "x86_64-linux" : "aarch64-linux" }),
    );
    const canary = {
      ...FAST.canary,
      count: { kind: "count", n: 3 } as const,
      spread: ["arch", "version"] as const,
    };
    const inventory = anInventory(hosts, { canary });
    const known = new Map(
      hosts.map((h, i) => [h.name, { reachable: true, current: system(h.name, i === 4 ? "r0" : "r1") }]),
    );
    const plan = aPlan(inventory, { known });
    expect(plan.waves[0]?.hosts).toEqual(expect.arrayContaining(["h-4", "h-11"]));
    expect(plan.hosts.find((h) => h.name === "h-11")?.why).toContain("arch aarch64-linux");
  });
});

describe("a plan", () => {
  test("is the same again, however the inventory is ordered; another revision rotates the burden", () => {
    fc.assert(
      fc.property(some, fc.infiniteStream(fc.nat()), ({ hosts, policy }, order) => {
        const shuffled = hosts
          .map((h) => ({ h, at: order.next().value ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map((x) => x.h);
        expect(aPlan(anInventory(shuffled, policy)).waves).toEqual(aPlan(anInventory(hosts, policy)).waves);
      }),
    );
  });

  test("any change to what is done changes its hash; its name and time do not", () => {
    const inventory = anInventory([aHost("a"), aHost("b")]);
    const plan = aPlan(inventory);
    expect(aPlan(inventory, { id: "r-9", now: 99 }).hash).toBe(plan.hash);
    expect(aPlan(inventory, { force: true }).hash).not.toBe(plan.hash);
    expect(aPlan(anInventory(inventory.hosts, { confirmTimeoutMs: 601 })).hash).not.toBe(plan.hash);
  });
});

describe("guards", () => {
  const boots = (n: number) => Array.from({ length: n }, (_, i) => aHost(`b-${i}`, "bootstrap"));

  test("with everybody healthy one at a time is always possible, and a majority stays", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 100 }), (n, p) => {
        const roles = { bootstrap: { minAvailable: pct(p) } };
        const guards = aPlan(anInventory(boots(n), { roles })).guards.filter((g) => g.role === "bootstrap");
        for (const g of guards) {
          expect(g.required).toBeGreaterThan(0);
          expect(g.required).toBeLessThanOrEqual(n - 1);
          if (p === 51 && n > 2) expect(g.required * 2).toBeGreaterThan(n);
        }
      }),
    );
  });

  test("hosts outside of the rollout stand guard, too", () => {
    const inventory = anInventory(boots(3), { roles: { bootstrap: { minAvailable: pct(51) } } });
    const plan = aPlan(inventory, { hosts: inventory.hosts.slice(0, 1) });
    expect(plan.guards).toEqual([
      { role: "bootstrap", site: null, members: ["b-0", "b-1", "b-2"], required: 2 },
    ]);
  });

  test("only hosts that are in service and run NixOS, by every role they hold", () => {
    const [a, b, c, d] = boots(4) as [Host, Host, Host, Host];
    const hosts: Host[] = [
      a,
      { ...b, role: "gateway", roles: ["bootstrap", "gateway"] },
      { ...c, state: "maintenance" },
      { ...d, os: "k3os" },
      aHost("p"),
    ];
    const roles = { bootstrap: { minAvailable: pct(51) }, gateway: { minAvailable: pct(51) } };
    expect(aPlan(anInventory(hosts, { roles })).guards).toEqual([
      { role: "bootstrap", site: null, members: ["b-0", "b-1"], required: 1 },
    ]);
  });

  test("of the fleet and of each site, where both are asked for; hosts without a site have none", () => {
    const sites = ["gent", "gent", "gent", "brugge", null, null];
    const hosts = sites.map((site, i) => aHost(`g-${i}`, "gateway", { site }));
    const roles = { gateway: { minAvailable: pct(50), minAvailablePerSite: pct(50) } };
    const guards = aPlan(anInventory(hosts, { roles })).guards;
    expect(guards.map((g) => [g.site, g.members.length, g.required])).toEqual([
      [null, 6, 3],
      ["gent", 3, 2],
    ]);
  });

  test("per site: a gateway is not touched while the other one of its site is down", () => {
    const hosts = [
      aHost("g-1", "gateway", { site: "gent" }),
      aHost("g-2", "gateway", { site: "gent" }),
      aHost("g-3", "gateway", { site: "brugge" }),
    ];
    const roles = { gateway: { minAvailablePerSite: { kind: "count", n: 1 } as const } };
    const { guards, warnings } = aPlan(anInventory(hosts, { roles }));
    expect(guards).toEqual([{ role: "gateway", site: "gent", members: ["g-1", "g-2"], required: 1 }]);
    expect(warnings).toEqual([expect.stringContaining("g-3 is the only gateway of brugge")]);
  });
});

test("a host that refuses us stays in the plan, with a warning", () => {
  const inventory = anInventory([aHost("a"), aHost("b")]);
  const known = new Map([
    ["a", { reachable: true, current: system("a", "r1") }],
    ["b", { reachable: true, current: null, trouble: "HOST KEY CHANGED" }],
  ]);
  const plan = aPlan(inventory, { known });
  expect(plan.hosts.map((h) => h.name).sort()).toEqual(["a", "b"]);
  expect(plan.warnings).toContain("b will fail as things stand: HOST KEY CHANGED");
});

test("neighbours take closures from their site's seed, as long as it is one that can hand them on", () => {
  const sites = (seed: Partial<Host>) => {
    const inventory = anInventory([
      aHost("seed", "peer", seed),
      aHost("a"),
      aHost("b", "peer", { site: "riga" }),
    ]);
    const { gent, ...others } = inventory.sites;
    if (!gent) throw new Error("no site");
    const plan = aPlan({ ...inventory, sites: { ...others, gent: { ...gent, seed: "seed" } } });
    return Object.fromEntries(plan.hosts.map((h) => [h.name, h.seed]));
  };
  expect(sites({})).toEqual({ seed: undefined, a: "seed", b: undefined });
  expect(sites({ state: "maintenance" })).toEqual({ a: undefined, b: undefined });
});
