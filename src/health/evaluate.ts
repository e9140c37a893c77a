/** When is a host healthy? A fold over samples; knows no clock and no host. [pure] */
import type { CheckResult } from "../host/protocol.ts";

export interface HealthPolicy {
  /** How long everything must have been well without a break, ms. */
  readonly minHealthyTimeMs: number;
  /** Failed unless healthy within this time after the start, ms. */
  readonly healthyDeadlineMs: number;
  /** Failed when it fell ill again more often than this after having been well: it flaps. Default 3. */
  readonly maxResets?: number;
  /** Nobody looked for longer than this, ms (or the clock went back): being well starts anew. Default: never. */
  readonly maxGapMs?: number;
}

/** One look at a host; `results` null: it could not be reached. */
export interface HealthSample {
  /** Milliseconds, same clock as the start. */
  readonly at: number;
  readonly results: readonly CheckResult[] | null;
}

export interface Health {
  readonly verdict: "healthy" | "waiting" | "failed";
  /** Since when everything has been well; null: it is not. */
  readonly healthySince: number | null;
  /** When it was looked at last; null: not yet. */
  readonly checkedAt: number | null;
  /** How often it fell ill after having been well. */
  readonly resets: number;
  /** Checks of the last sample that were not ok. */
  readonly failing: readonly CheckResult[];
  readonly reason: "" | "deadline" | "flapping";
}

export const unknownHealth: Health = {
  verdict: "waiting",
  healthySince: null,
  checkedAt: null,
  resets: 0,
  failing: [],
  reason: "",
};

const DEFAULT_MAX_RESETS = 3;

/** The next state. A verdict other than `waiting` is final. `retry` ("not now") is not ok, but no relapse either. */
export function observeHealth(
  health: Health,
  sample: HealthSample,
  policy: HealthPolicy,
  startedAt: number,
): Health {
  if (health.verdict !== "waiting") return health;
  const { at } = sample;
  const failing = sample.results?.filter((r) => r.status !== "ok") ?? [];
  const well = sample.results !== null && failing.length === 0;
  if (well) {
    const last = health.checkedAt ?? at;
    const unseen = at < last || at - last > (policy.maxGapMs ?? Infinity);
    const healthySince = unseen ? at : (health.healthySince ?? at);
    const next: Health = { ...health, healthySince, checkedAt: at, failing: [] };
    if (at - healthySince >= policy.minHealthyTimeMs) return { ...next, verdict: "healthy" };
    return late(next, at, policy, startedAt);
  }
  const relapse = health.healthySince !== null && !failing.every((r) => r.status === "retry");
  const unreachableAgain = health.healthySince !== null && sample.results === null;
  const resets = health.resets + (relapse || unreachableAgain ? 1 : 0);
  const next: Health = { ...health, healthySince: null, checkedAt: at, resets, failing };
  if (resets > (policy.maxResets ?? DEFAULT_MAX_RESETS))
    return { ...next, verdict: "failed", reason: "flapping" };
  return late(next, at, policy, startedAt);
}

function late(health: Health, at: number, policy: HealthPolicy, startedAt: number): Health {
  return at - startedAt >= policy.healthyDeadlineMs
    ? { ...health, verdict: "failed", reason: "deadline" }
    : health;
}

/** All samples at once, in order of time. */
export function foldHealth(
  samples: readonly HealthSample[],
  policy: HealthPolicy,
  startedAt: number,
): Health {
  return samples.reduce((health, sample) => observeHealth(health, sample, policy, startedAt), unknownHealth);
}
