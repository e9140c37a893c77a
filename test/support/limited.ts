/** A small fleet with sites, clusters and a gateway, and whatever limits a test is about. */
import type { Host } from "../../src/inventory/model.ts";
import type { Limits, Plan } from "../../src/plan/model.ts";
import { blockedBy, measure, NOWHERE_ELSE } from "../../src/rollout/budgets.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { aHost, anInventory, aPlan, system } from "./fleet.ts";
import { aRun, host, run, wave } from "./run.ts";

export const MINUTE = 60_000;
export const inCluster = (cluster: string) => ({ k3s: { ...aHost("x").k3s, cluster } });
export const count = (n: number) => ({ kind: "count", n }) as const;

export const FLEET: readonly Host[] = [
  aHost("a1", "peer", { ...inCluster("red"), bastion: "g1" }),
  aHost("a2", "peer", inCluster("red")),
  aHost("a3", "peer", inCluster("blue")),
  aHost("b1", "peer", { site: "brugge", ...inCluster("red") }),
  aHost("b2", "peer", { site: "brugge" }),
  aHost("n1", "peer", { site: null }),
  aHost("n2", "peer", { site: null }),
  aHost("g1", "gateway"),
  aHost("g2", "gateway", { site: "brugge" }),
];
export const inventory = anInventory(FLEET, {
  canary: { count: count(0), max: 1, spread: [], select: [], prefer: [] },
  waves: [{ kind: "percent", pct: 100 }],
  maxFailures: { canary: count(0), wave: count(99) },
  confirmTimeoutMs: 10 * MINUTE,
  healthyDeadlineMs: 10 * MINUTE,
  minHealthyTimeMs: 5 * MINUTE,
  progressDeadlineMs: 1e9,
});
export const ROOMY: Limits = {
  maxParallel: 99,
  maxUnavailable: 99,
  maxUnavailablePerSite: {},
  maxUnavailablePerCluster: {},
  maxUnavailablePerRole: {},
  maxParallelPerRole: {},
  maxFailuresPerSite: null,
  activatingPerSite: 99,
  copyingPerSite: 99,
  copyingBySite: {},
  copying: 99,
};
export const G1 = { name: "g1", address: "127.0.0.1", port: 22, user: "root" };
export const base = aPlan({ ...inventory, bastions: { g1: G1 } });
export const planWith = (limits: Partial<Limits>, more: Partial<Plan> = {}): Plan => ({
  ...base,
  limits: { ...ROOMY, ...limits },
  ...more,
});
export const tolerating = (n: number): Partial<Plan> => ({
  waves: base.waves.map((w) => ({ ...w, maxFailures: n })),
});

export const staged = (name: string): EventBody[] => [
  host(name, "staging", { previous: system(name, "r1") }),
  host(name, "staged"),
];
/** It was told to activate, and is in that state now. */
export const touched = (name: string, state: HostState): EventBody[] => [
  ...staged(name),
  host(name, "activating", { fence: 1 }),
  ...(state === "activating" ? [] : [host(name, state)]),
];
export const busy = (...names: string[]) => names.flatMap((name) => touched(name, "confirming"));
export const began = [run("running"), wave("wave.start", 1)];

export const blockOf = (state: RolloutState, name: string, starting: readonly string[] = []) => {
  const target = state.targets.get(name);
  if (!target) throw new Error(`no ${name}`);
  return blockedBy(measure(state, new Set(starting), NOWHERE_ELSE), target);
};
export const limitOf = (plan: Plan, bodies: readonly EventBody[], name: string) =>
  blockOf(aRun(plan, ...began, ...bodies), name)?.limit ?? null;
