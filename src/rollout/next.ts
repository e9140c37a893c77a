/** What to type next, in whatever state a run is; the most likely command first. Pure. Never empty. */
import type { Plan } from "../plan/model.ts";
import { isFailed } from "./classes.ts";
import type { RolloutState } from "./state.ts";

const TOOL = "macula-fleet";

export function nextSteps(state: RolloutState): string[] {
  return isInstallation(state.plan) ? installing(state) : rolling(state);
}

/** An installation, a conversion or an erasure: its plan has one wave, and its machines are driven by phases. */
export const isInstallation = (plan: Pick<Plan, "id">): boolean => plan.id.startsWith("i-");

/** Goes on with a run that nobody drives. */
export function goOnCommand(plan: Plan): string {
  const host = plan.hosts[0]?.name ?? "";
  if (!isInstallation(plan)) return `${TOOL} rollout resume ${plan.id}`;
  if ("conversion" in plan) return `${TOOL} convert ${host} --continue`;
  if ("wipes" in plan) return `${TOOL} retire ${host} --wipe`;
  return `${TOOL} install --continue ${plan.id}`;
}

function rolling(state: RolloutState): string[] {
  const verb = (name: string) => `${TOOL} rollout ${name} ${state.plan.id}`;
  const undo = hasChanged(state) ? [verb("undo")] : [];
  switch (state.status) {
    case "paused":
      if (state.reason === "gate") return [verb("promote"), verb("abort"), ...undo];
      if (state.reason === "failures") return [...look(state), verb("retry"), verb("abort"), ...undo];
      // Whoever failed may be what keeps the others waiting.
      if (state.reason === "deadline" && look(state).length > 0)
        return [...look(state), verb("retry"), verb("resume"), verb("abort"), ...undo];
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
  if (state.status === "aborted") {
    const [host] = state.plan.hosts;
    const again = "conversion" in state.plan ? `convert ${host?.name} --plan` : "install --check";
    return [...look(state), `${TOOL} ${again}`];
  }
  return [...look(state), goOnCommand(state.plan)];
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
