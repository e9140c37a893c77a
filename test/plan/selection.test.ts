/** Who is left out and why, and what a plan says about each host that is not. */
import { describe, expect, test } from "vitest";
import type { Host, Inventory } from "../../src/inventory/model.ts";
import type { KnownHost, PlanInput } from "../../src/plan/build.ts";
import type { MaintenanceWindow, Policy } from "../../src/plan/policy.ts";
import { aHost, anInventory, aPlan, FAST, system } from "../support/fleet.ts";

const OLD = system("a", "r1");
const NEW = system("a", "r2");

describe("left out", () => {
  /** A plan for `a`, of which this is known, beside `b`, about which nothing is special. */
  const planOf = (
    known: KnownHost | undefined,
    {
      host = {},
      policy = {},
      ...more
    }: Partial<PlanInput> & { host?: Partial<Host>; policy?: Partial<Policy> } = {},
  ) =>
    aPlan(anInventory([aHost("a", "peer", host), aHost("b")], policy), {
      known: new Map(known === undefined ? [] : [["a", known]]),
      ...more,
    });
  const up = (current: string, more: Partial<KnownHost> = {}): KnownHost => ({
    reachable: true,
    current,
    ...more,
  });
  const offline = (policy: Policy["offline"]["policy"]) => ({
    policy: { offline: { ...FAST.offline, policy } },
  });
  const DOWN: KnownHost = { reachable: false, current: null };

  test.each<[string, KnownHost | undefined, Parameters<typeof planOf>[1], "skipped" | "deferred", string]>([
    ["planned", up(OLD), { host: { state: "planned" } }, "skipped", "state is planned"],
    ["not NixOS", up(OLD), { host: { os: "k3os" } }, "skipped", "runs k3os"],
    ["it pulls", up(OLD), { host: { connect: "pull" } }, "skipped", "pulls its own updates"],
    ["held", up(OLD, { held: "held by ann: disk" }), {}, "deferred", "held by ann: disk"],
    ["nothing built", up(OLD), { targets: new Map() }, "skipped", "nothing was built for it"],
    ["offline, deferred", DOWN, offline("defer"), "deferred", "offline when planned"],
    ["offline, skipped", DOWN, offline("skip"), "skipped", "offline when planned"],
    ["up to date", up(NEW), {}, "skipped", "already runs it"],
    ["up to date for good", up(NEW, { profile: NEW }), {}, "skipped", "already runs it"],
    ["up to date, profile unknown", up(NEW, { profile: null }), {}, "skipped", "already runs it"],
  ])("%s", (_what, known, more, state, reason) => {
    const plan = planOf(known, more);
    expect(plan.excluded.find((e) => e.host === "a")).toEqual({
      host: "a",
      state,
      reason: expect.stringContaining(reason),
    });
    expect(plan.hosts.map((h) => h.name)).not.toContain("a");
  });

  test.each<[string, KnownHost | undefined, Parameters<typeof planOf>[1]]>([
    ["nothing is known of it", undefined, {}],
    ["it runs something else", up(OLD), {}],
    ["it runs the new system, but not for good", up(NEW, { profile: OLD }), {}],
    ["offline, and that is to fail", DOWN, offline("fail")],
  ])("but not when %s", (_what, known, more) => {
    const plan = planOf(known, more);
    expect(plan.excluded).toEqual([]);
    expect(plan.hosts.map((h) => h.name).sort()).toEqual(["a", "b"]);
  });

  test("a host that is converted first is told how", () => {
    const plan = planOf(up(OLD), { host: { os: "k3os" } });
    expect(plan.excluded[0]?.reason).toContain("macula-fleet convert a");
  });
});

describe("of each host the plan says", () => {
  const one = (inventory: Inventory, more: Partial<PlanInput> = {}, name = "a") =>
    aPlan(inventory, more).hosts.find((h) => h.name === name);

  test("what it is, what it runs and what it is to run", () => {
    const host = aHost("a", "gateway", {
      roles: ["bootstrap", "gateway"],
      site: "brugge",
      arch: "aarch64-linux",
      k3s: { ...aHost("x").k3s, cluster: "prod" },
    });
    expect(one(anInventory([host]))).toEqual({
      name: "a",
      role: "gateway",
      roles: ["bootstrap", "gateway"],
      site: "brugge",
      arch: "aarch64-linux",
      cluster: "prod",
      via: null,
      from: OLD,
      to: NEW,
      closureBytes: 1000,
      windows: [],
      why: expect.stringMatching(/^canary/),
    });
  });

  test("that nothing is known of it, when nothing is", () => {
    expect(one(anInventory([aHost("a")]), { known: new Map() })).toMatchObject({ from: null, cluster: null });
  });

  test("which wave it is in, unless it is a canary", () => {
    const inventory = anInventory([aHost("a"), aHost("b"), aHost("g", "gateway")], {
      waves: [{ kind: "percent", pct: 100 }],
    });
    const { waves, hosts } = aPlan(inventory);
    const why = new Map(hosts.map((h) => [h.name, h.why]));
    const [canary = "", peer = "", gateway = ""] = waves.flatMap((w) => w.hosts);
    expect(why.get(canary)).toMatch(/^canary: /);
    expect(why.get(peer)).toBe("wave 100 %: peers in order");
    expect(why.get(gateway)).toBe("wave 100 % gateway: gateways in order");
  });

  describe("the host of the fleet through which it is reached", () => {
    const bastion = (name: string, address: string, port = 22) => ({ name, address, port, user: "root" });
    const via = (host: Partial<Host>, bastions: Inventory["bastions"]) =>
      one({
        ...anInventory([
          aHost("a", "peer", host),
          aHost("f", "peer", { address: "192.0.2.7", port: 2201 }),
          aHost("g", "gateway", { address: "192.0.2.7", port: 2202 }),
        ]),
        bastions,
      })?.via;

    test("by name, by address and port, or not at all", () => {
      expect(via({ bastion: "g" }, { g: bastion("g", "198.51.100.1") })).toBe("g");
      expect(via({ bastion: "g" }, { g: bastion("g", "192.0.2.7", 2201) })).toBe("g");
      expect(via({ bastion: "jump" }, { jump: bastion("jump", "192.0.2.7", 2202) })).toBe("g");
      expect(via({ bastion: "jump" }, { jump: bastion("jump", "192.0.2.7") })).toBeNull();
      expect(via({ bastion: "jump" }, { jump: bastion("jump", "198.51.100.1", 2202) })).toBeNull();
      expect(via({ bastion: "gone" }, {})).toBeNull();
      expect(via({ bastion: null }, { g: bastion("g", "192.0.2.7", 2202) })).toBeNull();
    });

    test("never itself", () => {
      expect(via({ bastion: "a", address: "192.0.2.1" }, { a: bastion("a", "192.0.2.1") })).toBeNull();
    });
  });

  describe("its maintenance windows", () => {
    const night: MaintenanceWindow = { days: [], start: "02:00", lengthMs: 3_600_000, tz: "site" };
    const noon: MaintenanceWindow = { days: [], start: "12:00", lengthMs: 3_600_000, tz: "Asia/Kolkata" };
    const windows = (
      host: Partial<Host>,
      policy: readonly MaintenanceWindow[],
      own: readonly MaintenanceWindow[],
    ) => {
      const inventory = anInventory([aHost("a", "peer", host)], { windows: policy });
      const site = { ...inventory.sites.gent, timezone: "Europe/Brussels", windows: own };
      return one({ ...inventory, sites: { gent: site } as Inventory["sites"] })?.windows;
    };

    test("the policy's in the time of its site", () => {
      expect(windows({}, [night, noon], [])).toEqual([{ ...night, tz: "Europe/Brussels" }, noon]);
    });

    test("those of its site instead, where it has any", () => {
      expect(windows({}, [night], [noon])).toEqual([noon]);
    });

    test("without a site, or with one that nobody described, in UTC", () => {
      expect(windows({ site: null }, [night], [noon])).toEqual([{ ...night, tz: "UTC" }]);
      expect(windows({ site: "aalst" }, [night], [noon])).toEqual([{ ...night, tz: "UTC" }]);
    });
  });
});

describe("the order inside a wave", () => {
  test("by role, then by the host's own order, then by rank", () => {
    const order = (n: number) => ({ rollout: { order: n } });
    const inventory = anInventory(
      [
        aHost("a", "gateway", order(-1)),
        aHost("d", "peer", order(0)),
        aHost("c", "peer", order(0)),
        aHost("b", "peer", order(1)),
        aHost("e", "peer", order(-1)),
      ],
      { canary: { ...FAST.canary, count: { kind: "count", n: 0 } } },
    );
    const hosts = aPlan(inventory, { rank: (name) => name }).hosts.map((h) => h.name);
    expect(hosts).toEqual(["e", "c", "d", "b", "a"]);
  });
});

describe("canaries of a plan", () => {
  const fleet = anInventory([
    ...["a", "b", "c", "d"].map((n) => aHost(n)),
    aHost("g", "gateway"),
    aHost("h", "gateway", { rollout: { order: 0, canary: "always" } }),
  ]);
  const canaries = (more: Partial<PlanInput>, policy: Partial<Policy["canary"]> = {}) =>
    aPlan(
      {
        ...fleet,
        policy: { ...fleet.policy, canary: { ...FAST.canary, count: { kind: "count", n: 2 }, ...policy } },
      },
      { rank: (name) => name, ...more },
    ).waves.find((w) => w.kind === "canary")?.hosts;

  test("come from the first role, or are labelled", () => {
    expect(canaries({})).toEqual(["h", "a"]);
  });

  test("from where the operator says, preferring what the operator prefers", () => {
    expect(canaries({ canaryFrom: (h) => h.name !== "h" && h.name !== "a" })).toEqual(["b", "g"]);
    expect(canaries({ prefer: (h) => h.name === "d" })).toEqual(["h", "d"]);
  });

  test("none when none are wanted, and none in an undo, which has one wave", () => {
    expect(canaries({}, { count: { kind: "count", n: 0 } })).toBeUndefined();
    const undo = aPlan(fleet, { waveless: true, kind: "undo", reverts: "r-0", rank: (name) => name });
    expect(undo.waves.map((w) => [w.label, w.hosts])).toEqual([
      ["100 %", ["a", "b", "c", "d"]],
      ["100 % gateway", ["g", "h"]],
    ]);
    expect(undo).toMatchObject({ kind: "undo", reverts: "r-0" });
    expect(undo.resolutions.map((r) => r.name)).not.toContain("canary");
    expect(aPlan(fleet)).not.toHaveProperty("reverts");
  });
});

describe("warnings", () => {
  const warnings = (hosts: readonly Host[], selected = hosts) =>
    aPlan(anInventory(hosts), { hosts: selected }).warnings;
  const [g1, g2, far] = [
    aHost("g-1", "gateway"),
    aHost("g-2", "gateway"),
    aHost("g-3", "gateway", { site: "brugge" }),
  ];
  const [b1, b2] = [aHost("b-1", "bootstrap"), aHost("b-2", "bootstrap", { site: "brugge" })];

  test("a bootstrap alone in the fleet, a gateway alone in its site, never a peer", () => {
    expect(warnings([aHost("p"), b1, g1, far]).toSorted()).toEqual([
      expect.stringContaining("b-1 is the only bootstrap host"),
      expect.stringContaining("g-1 is the only gateway of gent"),
      expect.stringContaining("g-3 is the only gateway of brugge"),
    ]);
    expect(warnings([b1, b2, g1, g2])).toEqual([]);
    expect(warnings([aHost("g", "gateway", { site: null })])).toEqual([
      expect.stringContaining("only gateway of its site"),
    ]);
  });

  test("those that are not part of this rollout count, those that are not in service do not", () => {
    expect(warnings([g1, g2], [g1])).toEqual([]);
    expect(warnings([g1, { ...g2, state: "retired" }])).toHaveLength(1);
  });
});

test("a plan names the fleet, the revision and the time it was made for", () => {
  const plan = aPlan(anInventory([aHost("a")]), { now: 42, revision: "r2" });
  expect(plan).toMatchObject({
    schema: 1,
    id: "r-1",
    fleet: "test",
    revision: "r2",
    createdAt: 42,
    force: false,
  });
});
