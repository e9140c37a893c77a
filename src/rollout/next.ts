/** What to type next, in whatever state a run is; the most likely command first. Pure. Never empty. */
import { isFailed } from "./classes.ts";
import type { RolloutState } from "./state.ts";

const TOOL = "macula-fleet";

export function nextSteps(state: RolloutState): string[] {
  return state.plan.id.startsWith("i-") ? installing(state) : rolling(state);
}

function rolling(state: RolloutState): string[] {
  const verb = (name: string) => `${TOOL} rollout ${name} ${state.plan.id}`;
  const undo = hasChanged(state) ? [verb("undo")] : [];
  switch (state.status) {
    case "paused":
      if (state.reason === "gate") return [verb("promote"), verb("abort"), ...undo];
      if (state.reason === "failures") return [...look(state), verb("retry"), verb("abort"), ...undo];
      return [verb("resume"), verb("abort"), ...undo];
    case "planned":
    case "queued":
    case "running":
    case "baking":
      if (state.wavePhase === "gate") return [verb("promote"), ...undo];
      return [verb("resume"), verb("status")];
    case "aborting":
    case "rolling_back":
      return [verb("resume"), verb("status")];
    case "succeeded":
      return [...look(state), `${TOOL} status`, ...undo];
    case "succeeded_with_stragglers":
      return [...look(state), `${TOOL} reconcile`, ...undo];
    case "aborted":
    case "failed":
      return [...look(state), `${TOOL} rollout`, ...undo];
    case "rolled_back":
      return [...look(state), `${TOOL} status`];
    case "rollback_failed":
      return [...look(state), `${TOOL} status`, ...undo];
    case "superseded":
      return [`${TOOL} rollout history`];
  }
}

function installing(state: RolloutState): string[] {
  if (state.status === "succeeded") return [`${TOOL} status`];
  const again =
    "conversion" in state.plan
      ? `${TOOL} convert ${state.plan.hosts[0]?.name ?? ""} --continue`
      : `${TOOL} install --continue ${state.plan.id}`;
  return [...look(state), again];
}

/** The evidence of the first host that failed. */
function look(state: RolloutState): string[] {
  for (const h of state.hosts.values())
    if (isFailed(h)) return [`${TOOL} rollout status ${state.plan.id} --host ${h.name}`];
  return [];
}

/** Is there anything an undo would put back? */
const hasChanged = (state: RolloutState): boolean =>
  state.plan.kind === "rollout" && [...state.hosts.values()].some((h) => h.committed);
