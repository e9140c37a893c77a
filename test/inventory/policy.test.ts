import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { Role } from "../../src/inventory/model.ts";
import { applyStanza, DEFAULT_POLICY, policyFrom } from "../../src/inventory/policy.ts";
import { rolePolicy, rollout } from "../../src/inventory/schema/rollout.ts";

const count = (n: number) => ({ kind: "count", n });
const percent = (pct: number) => ({ kind: "percent", pct });
const MINUTE = 60_000;

const policy = (text: string, roles: Partial<Record<Role, string>> = {}) => {
  const stanzas = Object.fromEntries(
    Object.entries(roles).map(([role, yaml]) => [role, rolePolicy.parse(parse(yaml))]),
  );
  const result = policyFrom(rollout.parse(parse(text)), stanzas);
  expect(result.findings).toEqual([]);
  return result.policy;
};

test("10% at a time means at most 25, until a number is stated", () => {
  expect(DEFAULT_POLICY).toMatchObject({ maxParallel: percent(10), maxParallelCap: 25 });
  expect(policy("{maxParallel: 20%}").maxParallelCap).toBeUndefined();
});

test("nothing stated: the defaults, and they are consistent", () => {
  expect(policy("{}")).toEqual(DEFAULT_POLICY);
  expect(DEFAULT_POLICY.order).toEqual(["peer", "gateway", "bootstrap"]);
});

test("the long form", () => {
  const result = policy(
    `
order: [peer, bootstrap, gateway]
canary: {count: 20%, max: 4, spread: [role, site], label: canary, prefer: [node-02]}
waves: [10%, 50%, 100%]
maxParallel: 5
maxUnavailable: 15%
maxFailures: {canary: 1, wave: 4%, perSite: 2}
perSite: {activating: 2}
copyParallel: 20
onFailure: rollback
promote: manual
minHealthyTime: 30s
healthyDeadline: 5m
progressDeadline: 20m
soak: {canary: 1h, wave: [10m, 5m]}
finalBake: 1m
offline: {policy: skip, catchUp: 7d}
windows: [{days: [sat, sun], start: "23:30", length: 60m, tz: Europe/Brussels}, {start: "01:00", length: 1h}]
reboot: always
`,
    {
      bootstrap: "{maxUnavailable: 1, minAvailable: 60%, soak: 30m}",
      gateway: "{minAvailable: {perSite: 2}, maxParallel: 1}",
    },
  );
  expect(result).toMatchObject({
    order: ["peer", "bootstrap", "gateway"],
    canary: {
      count: percent(20),
      max: 4,
      spread: ["role", "site"],
      prefer: ["label.canary=true", "node-02"],
    },
    waves: [percent(10), percent(50), percent(100)],
    maxParallel: count(5),
    maxUnavailable: { fleet: percent(15) },
    maxFailures: { canary: count(1), wave: percent(4), perSite: 2 },
    perSite: { activating: 2, copying: 2 },
    copyParallel: 20,
    onFailure: "rollback",
    promote: "manual",
    minHealthyTimeMs: 30_000,
    healthyDeadlineMs: 5 * MINUTE,
    progressDeadlineMs: 20 * MINUTE,
    soak: { canaryMs: 60 * MINUTE, waveMs: [10 * MINUTE, 5 * MINUTE] },
    finalBakeMs: MINUTE,
    offline: { policy: "skip", catchUpMs: 7 * 24 * 60 * MINUTE, unreachableDeadlineMs: 10 * MINUTE },
    reboot: "always",
    roles: {
      bootstrap: { maxUnavailable: count(1), minAvailable: percent(60), soakMs: 30 * MINUTE },
      gateway: { minAvailablePerSite: count(2), maxParallel: count(1) },
    },
  });
  expect(result.windows).toEqual([
    { days: ["sat", "sun"], start: "23:30", lengthMs: 60 * MINUTE, tz: "Europe/Brussels" },
    {
      days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
      start: "01:00",
      lengthMs: 60 * MINUTE,
      tz: "site",
    },
  ]);
});

test("the short form", () => {
  const result = policy(`
strategy: waves
canary: {size: 2, select: ["tag:lab"]}
maxUnavailable: {fleet: 20%, site: 1, "role:gateway": 2, "cluster:core": 1}
maxFailures: {count: 3, percent: 5%}
soak: [2h, 30m, 10m]
offline: defer
autoRollback: true
healthTimeout: 300s
`);
  expect(result).toMatchObject({
    canary: { count: count(2), select: ["tag:lab"] },
    maxUnavailable: { fleet: percent(20), site: count(1), clusters: { core: count(1) } },
    maxFailures: { canary: count(0), wave: percent(5), waveMax: 3 },
    soak: { canaryMs: 120 * MINUTE, waveMs: [30 * MINUTE, 10 * MINUTE] },
    healthyDeadlineMs: 5 * MINUTE,
    onFailure: "pause",
  });
  expect(result.roles.gateway).toEqual({
    maxParallel: count(1),
    minAvailablePerSite: count(1),
    maxUnavailable: count(2),
  });
  expect(result.waves).toBeUndefined();
});

describe("scalars", () => {
  test.each([
    ["canary: 3", { canary: { count: count(3) } }],
    ["canary: 25%", { canary: { count: percent(25) } }],
    ["canary: 30", { canary: { count: count(30), max: 30 } }],
    ["maxFailures: 2", { maxFailures: { canary: count(0), wave: count(2) } }],
    ["soak: 20m", { soak: { canaryMs: 20 * MINUTE, waveMs: [20 * MINUTE] } }],
    ["maxUnavailable: 3", { maxUnavailable: { fleet: count(3) } }],
    ["strategy: all", { canary: { count: count(0) }, waves: [percent(100)] }],
    ["strategy: serial", { canary: { count: count(0) }, waves: [percent(100)], maxParallel: count(1) }],
  ])("%s", (text, expected) => {
    expect(policy(text)).toMatchObject(expected);
  });
});

test("flags are stanzas on top of the inventory's", () => {
  const inventory = policy("{canary: 20%, soak: 20m, maxParallel: 4}");
  const flags = rollout.parse({ canary: 1, waves: ["50%", "100%"] });
  expect(applyStanza(inventory, flags)).toEqual({
    ...inventory,
    canary: { ...inventory.canary, count: count(1) },
    waves: [percent(50), percent(100)],
  });
});
