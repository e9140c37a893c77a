/** How a run stands when its controller lets go of it: numbers, exit status, and what to type next. Pure. */
import { EXIT } from "../errors.ts";
import { tally } from "./classes.ts";
import type { EventBody } from "./events.ts";
import type { RolloutState } from "./state.ts";

export function summarize(state: RolloutState, interrupted: boolean): EventBody {
  const t = tally(state.hosts.values());
  const exit = exitOf(state, interrupted);
  const next = nextSteps(state);
  return {
    type: "summary",
    level: exit === EXIT.ok ? "info" : "warn",
    msg: `${state.plan.id} ${state.status.replaceAll("_", " ")}: ${t.ok} updated, ${t.failed} failed, ${t.deferred} deferred, ${t.skipped} skipped, ${t.pending} not started`,
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

export function nextSteps(state: RolloutState): string[] {
  const id = state.plan.id;
  const failed = [...state.hosts.values()].filter((h) => ["reverted", "failed", "drifted"].includes(h.state));
  const first = failed[0]?.name;
  const look = first === undefined ? [] : [`macula-fleet rollout status ${id} --host ${first}`];
  if (id.startsWith("i-"))
    return state.status === "succeeded"
      ? ["macula-fleet status"]
      : [
          ...look,
          "conversion" in state.plan
            ? `macula-fleet convert ${state.plan.hosts[0]?.name ?? ""} --continue`
            : `macula-fleet install --continue ${id}`,
        ];
  switch (state.status) {
    case "paused":
      if (state.reason === "gate")
        return [`macula-fleet rollout promote ${id}`, `macula-fleet rollout abort ${id}`];
      if (state.reason === "failures")
        return [
          ...look,
          `macula-fleet rollout retry ${id}`,
          `macula-fleet rollout abort ${id}`,
          `macula-fleet rollout undo ${id}`,
        ];
      return [`macula-fleet rollout resume ${id}`, `macula-fleet rollout abort ${id}`];
    case "running":
    case "baking":
    case "aborting":
    case "rolling_back":
      return [`macula-fleet rollout resume ${id}`, `macula-fleet rollout status ${id}`];
    case "succeeded_with_stragglers":
      return [...look, "macula-fleet reconcile"];
    case "aborted":
      return [...look, `macula-fleet rollout undo ${id}`];
    case "succeeded":
      return [`macula-fleet rollout undo ${id}`];
    default:
      return [...look, `macula-fleet rollout status ${id}`];
  }
}
