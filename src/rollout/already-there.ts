/** A host that runs the new system before anything was done in this attempt. Pure. */
import { moved } from "./bodies.ts";
import type { Look } from "./context.ts";
import type { EventBody } from "./events.ts";

/** Passed over; with a note when its own record says that an earlier attempt of this run was confirmed there after all. */
export function alreadyThere({ state, host, target, seen }: Look): EventBody | null {
  if (seen.current !== target.to || seen.profile !== target.to) return null;
  const confirmed = seen.state?.rollout === state.plan.id && seen.state.phase === "committed";
  return moved(state, host, "skipped", "already runs it", confirmed ? { detail: { confirmed } } : {});
}
