/** How a run stands when its controller lets go of it: numbers, exit status, and what to type next. Pure. */
import { EXIT } from "../errors.ts";
import { tally } from "./classes.ts";
import type { EventBody } from "./events.ts";
import { NOT_NOW } from "./host-progress.ts";
import { nextSteps } from "./next.ts";
import type { RolloutState } from "./state.ts";

export function summarize(state: RolloutState, interrupted: boolean): EventBody {
  const t = tally(state.hosts.values());
  const exit = exitOf(state, interrupted);
  const next = nextSteps(state);
  const notNow = [...state.hosts.values()].filter(
    (h) => h.state === "deferred" && h.failure?.code === NOT_NOW,
  );
  const unwilling = notNow.length === 0 ? "" : ` (${notNow.length} not now)`;
  return {
    type: "summary",
    level: exit === EXIT.ok ? "info" : "warn",
    msg: `${state.plan.id} ${state.status.replaceAll("_", " ")}: ${t.ok} updated, ${t.failed} failed, ${t.deferred} deferred${unwilling}, ${t.skipped} skipped, ${t.pending} not started`,
    data: {
      state: state.status,
      ...(state.reason === null ? {} : { reason: state.reason }),
      ...t,
      exit,
      next,
    },
  };
}

/** Contract §2: what happened to hosts outranks that the run is paused; ^C outranks nothing that is decided. */
export function exitOf(state: RolloutState, interrupted: boolean): number {
  const t = tally(state.hosts.values());
  if (t.failed > 0) return EXIT.hostsFailed;
  switch (state.status) {
    case "aborted":
    case "aborting":
    case "failed":
    case "rolled_back":
    case "rollback_failed":
    case "rolling_back":
      return EXIT.hostsFailed;
    case "paused":
      return EXIT.paused;
    case "succeeded":
    case "succeeded_with_stragglers":
      return t.deferred > 0 ? EXIT.hostsDeferred : EXIT.ok;
    default:
      return interrupted ? EXIT.interrupted : EXIT.error;
  }
}
