/** Every wait of the engine, derived from the policy so that a lab with second-long timers behaves like a fleet. Pure. */
import type { HealthPolicy } from "../health/evaluate.ts";
import type { Policy } from "../plan/policy.ts";
import type { HostProgress } from "./host-progress.ts";

const clamp = (ms: number, low: number, high: number) => Math.min(high, Math.max(low, Math.round(ms)));

/** Between two looks at a host that is activating, reverting or restarting. */
export const pollMs = (p: Policy): number => clamp(p.confirmTimeoutMs / 30, 150, 5_000);
/** Before a guard that did not agree is asked again. */
export const waitMs = (p: Policy): number => 4 * pollMs(p);
/** Between two health checks while health is being proven. */
export const checkMs = (p: Policy): number => clamp(p.minHealthyTimeMs / 4, 150, 10_000);
/** Between two health checks of a committed host during its soak. */
export const soakCheckMs = (p: Policy, soakMs: number): number =>
  clamp(soakMs / 5, 250, Math.max(30_000, p.minHealthyTimeMs));
/** Without contact for this long after activation began, the host must be assumed to be reverting by itself. */
export const lostAfterMs = (p: Policy): number => p.confirmTimeoutMs + 3 * pollMs(p);
/** Silent for this long after it was lost: a person must look. It had time to revert itself, restart and come back. */
export const giveUpAfterMs = (p: Policy): number =>
  lostAfterMs(p) + p.healthyDeadlineMs + p.offline.unreachableDeadlineMs;
/** A host that shows no trace of an activation gets this long before it counts as never begun: a word sent by a
 * controller that died meanwhile may still be on its way. */
export const lateWordMs = (p: Policy): number => clamp(p.confirmTimeoutMs / 4, 500, 30_000);
const MAX_FLAPS = 3;

/** Nobody looked for a whole confirm timeout: the host may have gone back and forth meanwhile. */
export const healthPolicy = (p: Policy): HealthPolicy => ({
  minHealthyTimeMs: p.minHealthyTimeMs,
  healthyDeadlineMs: p.healthyDeadlineMs,
  maxResets: MAX_FLAPS,
  maxGapMs: p.confirmTimeoutMs,
});

/** A host whose owner says "not now" is waited for this long, then left for later: no reason to pause a run either. */
export const consentMs = (p: Policy): number =>
  Math.min(p.offline.unreachableDeadlineMs, p.progressDeadlineMs / 2);

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 15 * 60_000;

/** 10 s, 20 s, 40 s … 15 min, spread by host so that a site does not come back all at once. */
export function backoffMs(host: HostProgress, p: Policy): number {
  const first = Math.min(FIRST_BACKOFF_MS, p.offline.unreachableDeadlineMs / 8);
  const spread = 1 + (hash(host.name) % 25) / 100;
  return Math.round(Math.min(LONGEST_BACKOFF_MS, first * 2 ** host.tries) * spread);
}

function hash(text: string): number {
  let h = 0;
  for (const char of text) h = (Math.imul(h, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return h;
}
