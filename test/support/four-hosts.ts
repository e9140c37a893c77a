/** Four hosts in two waves, a canary and the rest, somewhere on their way. */
import type { Policy } from "../../src/plan/policy.ts";
import type { Context } from "../../src/rollout/context.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import { aHost, anInventory, aPlan, FAST, system } from "./fleet.ts";
import { aContext, aRun, host, run, T0, wave } from "./run.ts";

export const MINUTE = 60_000;
export const iso = (ms: number) => new Date(ms).toISOString();
/** When `wave.soak` of the test support ends. */
export const SOAKED = T0 + 10 * MINUTE;

export const planWith = (policy: Partial<Policy> = {}) =>
  aPlan(
    anInventory(
      ["a", "b", "c", "d"].map((n) => aHost(n)),
      {
        canary: { ...FAST.canary, count: { kind: "count", n: 1 } },
        waves: [{ kind: "percent", pct: 100 }],
        soak: { canaryMs: 10 * MINUTE, waveMs: [MINUTE] },
        finalBakeMs: 5 * MINUTE,
        healthyDeadlineMs: 3 * MINUTE,
        progressDeadlineMs: 1e9,
        ...policy,
      },
    ),
    { rank: (name) => name },
  );
export const PLAN = planWith();
export const MANUAL = planWith({ promote: "manual" });
export const began = [run("running"), wave("wave.start", 1)];
/** Told to go, and in that state now. */
export const is = (name: string, state: HostState): EventBody[] => [
  host(name, "staging", { previous: system(name, "r1") }),
  host(name, "activating", { fence: 1 }),
  host(name, state),
];
export const silent = (name: string): EventBody =>
  host(name, "updated", {
    from: "updated",
    failure: { code: "unreachable", message: "no answer", transient: true },
  });
export const second = [...began, ...is("a", "updated"), wave("wave.end", 1), wave("wave.start", 2)];
export const all = (state: HostState) => ["b", "c", "d"].flatMap((name) => is(name, state));

export const go = (plan: typeof PLAN, bodies: readonly EventBody[], more: Partial<Context> = {}) =>
  decide(aRun(plan, ...bodies), aContext(more));
export const says = (...args: Parameters<typeof go>) => go(...args).events.map((e) => e.type);
