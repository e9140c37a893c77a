/** A run of two hosts of which `a` is looked at: at a state, on an outcome. */
import type { HostStateFile, Observation } from "../../src/host/protocol.ts";
import type { Plan } from "../../src/plan/model.ts";
import type { Policy } from "../../src/plan/policy.ts";
import type { Context } from "../../src/rollout/context.ts";
import type { Effect, Outcome } from "../../src/rollout/effects.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import { interpret } from "../../src/rollout/interpret.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { aHost, anInventory, aPlan, FAST, system } from "./fleet.ts";
import { aContext, aRun, host, run, T0, wave } from "./run.ts";

export const MINUTE = 60_000;
export const NOW = T0 + MINUTE;
export const iso = (ms: number) => new Date(ms).toISOString();
export const planWith = (policy: Partial<Policy> = {}): Plan =>
  aPlan(
    anInventory([aHost("a"), aHost("b")], {
      confirmTimeoutMs: 5 * MINUTE,
      healthyDeadlineMs: 5 * MINUTE,
      offline: { ...FAST.offline, unreachableDeadlineMs: 10 * MINUTE },
      waves: [{ kind: "percent", pct: 100 }],
      canary: { ...FAST.canary, count: { kind: "count", n: 0 } },
      maxFailures: { canary: { kind: "count", n: 9 }, wave: { kind: "count", n: 9 } },
      maxParallel: { kind: "count", n: 9 },
      maxUnavailable: { fleet: { kind: "count", n: 9 }, clusters: {} },
      ...policy,
    }),
  );
export const PLAN = planWith();
export const FROM = system("a", "r1");
export const TO = system("a", "r2");

export const began = [run("running"), wave("wave.start", 1)];
export const staging = host("a", "staging", { previous: FROM, detail: { bootId: "boot-1" } });
/** `a` on its way, now in that state. */
export const at = (state: HostState, plan = PLAN, ...more: EventBody[]) => {
  const early: readonly HostState[] = ["pending", "preflight", "staging", "staged", "deferred", "skipped"];
  const way = early.includes(state)
    ? [...(state === "staged" ? [staging] : []), ...(state === "staging" ? [staging] : [host("a", state)])]
    : [staging, host("a", "activating", { fence: 7 }), ...(state === "activating" ? [] : [host("a", state)])];
  return aRun(plan, ...began, ...way, ...more);
};

export const on = (state: RolloutState, outcome: Outcome, more: Partial<Context> = {}) =>
  interpret(state, outcome, aContext({ now: NOW, ...more }));
export const done = <K extends Effect["kind"]>(kind: K, more: object): Outcome =>
  ({ effect: { kind, host: "a" }, ok: true, ...more }) as unknown as Outcome;
export const looked = (observation: Observation) => done("observe", { observation });

export const deadlineOf = (event: EventBody | undefined): number =>
  event?.type === "host.state" ? Date.parse(event.data.deadline ?? "") : Number.NaN;

/** What the host wrote down of its attempt. */
export const file = (phase: HostStateFile["phase"], more: Partial<HostStateFile> = {}): HostStateFile => ({
  schema: 1,
  rollout: PLAN.id,
  attempt: 1,
  fence: 3,
  from: FROM,
  to: TO,
  mode: "test",
  phase,
  rc: 0,
  reason: null,
  bootId: "boot-1",
  baselineFailed: [],
  ...more,
});
