/** What the fleet is meant to run: where hosts that were away catch up to. Pure. */
import type { RunRecord } from "../store/store.ts";

/**
 * The revision of the newest rollout that went through and was not undone; null when there is none. Not simply what
 * the flake holds today: that has passed no canary. `runs`: newest first.
 */
export function currentTarget(runs: readonly RunRecord[]): string | null {
  const done = runs.filter((r) => r.state === "succeeded" || r.state === "succeeded_with_stragglers");
  const undone = new Set(done.flatMap((r) => r.reverts ?? []));
  const last = done.find((r) => r.kind === "rollout" && r.reverts === undefined && !undone.has(r.id));
  return last?.revision ?? null;
}
