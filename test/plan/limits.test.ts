/** Every budget as a number of hosts, of the hosts it is about, with the sum it came from. */
import { describe, expect, test } from "vitest";
import type { Host } from "../../src/inventory/model.ts";
import type { Policy, Quantity } from "../../src/plan/policy.ts";
import { aHost, anInventory, aPlan, FAST } from "../support/fleet.ts";

const pct = (p: number): Quantity => ({ kind: "percent", pct: p });
const count = (n: number): Quantity => ({ kind: "count", n });

const many = (n: number, prefix: string, more: Partial<Host> = {}): Host[] =>
  Array.from({ length: n }, (_, i) => aHost(`${prefix}-${i}`, more.role ?? "peer", more));
const inCluster = (cluster: string) => ({ k3s: { ...aHost("x").k3s, cluster } });

const FLEET: readonly Host[] = [
  ...many(10, "g", { site: "gent", ...inCluster("prod") }),
  ...many(4, "b", { site: "brugge" }),
  ...many(1, "n", { site: null }),
  ...many(5, "w", { site: "gent", role: "gateway" }),
];

const planOf = (policy: Partial<Policy>, hosts = FLEET) =>
  aPlan(anInventory(FLEET, { roles: {}, ...policy }), { hosts });
const limitsOf = (policy: Partial<Policy>, hosts = FLEET) => planOf(policy, hosts).limits;

describe("limits", () => {
  test("a site states itself how many copies its uplink carries", () => {
    const inventory = anInventory(FLEET);
    const gent = inventory.sites.gent;
    if (!gent) throw new Error("no gent");
    const sites = { ...inventory.sites, gent: { ...gent, uplink: { metered: true, concurrentCopies: 1 } } };
    expect(aPlan({ ...inventory, sites }).limits.copyingBySite).toEqual({ gent: 1 });
  });

  test("nothing stated beyond the fleet: nothing else is limited", () => {
    expect(limitsOf({ maxParallel: pct(25), maxUnavailable: { fleet: pct(10), clusters: {} } })).toEqual({
      maxParallel: 5,
      maxUnavailable: 2,
      maxUnavailablePerSite: {},
      maxUnavailablePerCluster: {},
      maxUnavailablePerRole: {},
      maxParallelPerRole: {},
      maxFailuresPerSite: null,
      activatingPerSite: 4,
      copyingPerSite: 4,
      copyingBySite: {},
      copying: 8,
    });
  });

  test("a share is of the selected hosts in that site, cluster or role, never of the fleet", () => {
    const policy = {
      maxUnavailable: { fleet: pct(50), site: pct(50), clusters: { prod: pct(30), test: pct(50) } },
      roles: { gateway: { maxUnavailable: pct(40), maxParallel: pct(20) } },
    };
    expect(limitsOf(policy)).toMatchObject({
      maxUnavailable: 10,
      maxUnavailablePerSite: { gent: 7, brugge: 2 },
      maxUnavailablePerCluster: { prod: 3, test: 1 },
      maxUnavailablePerRole: { gateway: 2 },
      maxParallelPerRole: { gateway: 1 },
    });
    expect(limitsOf(policy, FLEET.slice(0, 10))).toMatchObject({
      maxUnavailable: 5,
      maxUnavailablePerSite: { gent: 5 },
      maxUnavailablePerCluster: { prod: 3 },
    });
  });

  test("roles without a host in the rollout have none", () => {
    const roles = {
      peer: { maxParallel: count(3) },
      bootstrap: { maxParallel: count(1), maxUnavailable: count(1) },
    };
    const { limits, resolutions } = planOf({ roles });
    expect([limits.maxParallelPerRole, limits.maxUnavailablePerRole]).toEqual([{ peer: 3 }, {}]);
    expect(resolutions.map((r) => r.name)).not.toContain("bootstrap max-parallel");
  });

  test.each([
    [undefined, 10],
    [3, 3],
    [30, 10],
  ])("a cap of %j on half of the fleet: %i", (cap, expected) => {
    const policy = cap === undefined ? {} : { maxParallelCap: cap };
    expect(limitsOf({ maxParallel: pct(50), ...policy }).maxParallel).toBe(expected);
  });

  test("numbers are passed on as they are", () => {
    expect(
      limitsOf({
        maxFailures: { ...FAST.maxFailures, perSite: 0 },
        perSite: { activating: 2, copying: 3 },
        copyParallel: 5,
      }),
    ).toMatchObject({ maxFailuresPerSite: 0, activatingPerSite: 2, copyingPerSite: 3, copying: 5 });
  });
});

test("the sums are shown, the canaries' first", () => {
  const { resolutions } = planOf({
    canary: { ...FAST.canary, count: pct(10) },
    maxParallel: pct(25),
    maxUnavailable: { fleet: count(4), site: pct(50), clusters: { prod: pct(30) } },
    roles: { gateway: { maxUnavailable: pct(40), maxParallel: count(1) } },
  });
  expect(resolutions.map((r) => `${r.name}: ${r.asked} of ${r.base} -> ${r.value}`)).toEqual([
    "canary: 10 % of 20 -> 2",
    "max-parallel: 25 % of 20 -> 5",
    "max-unavailable: 4 of 20 -> 4",
    "max-unavailable of site brugge: 50 % of 4 -> 2",
    "max-unavailable of site gent: 50 % of 15 -> 7",
    "max-unavailable of cluster prod: 30 % of 10 -> 3",
    "gateway max-unavailable: 40 % of 5 -> 2",
    "gateway max-parallel: 1 of 5 -> 1",
  ]);
});
