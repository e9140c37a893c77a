/** Is an activation, or the way back from one, still under way on a host? What it says itself decides. Pure. */
import type { HostPhase, Observation } from "../host/protocol.ts";

const OVER: ReadonlySet<HostPhase> = new Set(["committed", "reverted", "revert-failed"]);

/** Whatever the record's run and attempt: nothing changes there any more on its own. */
export function isAtRest(seen: Observation): boolean {
  if (seen.activateActive || seen.revertArmed || seen.otherRuns.length > 0) return false;
  const file = seen.state;
  if (file === null || OVER.has(file.phase)) return true;
  // The power was cut: it runs its old system, or one that still has to be judged.
  if (seen.bootId !== file.bootId) return seen.current !== file.to || seen.profile === file.to;
  return !(file.mode === "boot" && file.phase === "activating"); // about to restart
}
