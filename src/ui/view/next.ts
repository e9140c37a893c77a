/** The exact commands to type next. Pure. */
import { kindOf, statusCommand } from "./classes.ts";
import type { ViewState } from "./model.ts";

const TOOL = "macula-fleet ";

/** Never empty. What the engine said wins; otherwise derived, so that a stream that just ends has an answer too. */
export function nextCommands(view: ViewState): readonly string[] {
  const said = view.summary?.next ?? [];
  if (said.length > 0) return said.map((c) => (c.startsWith(TOOL) ? c : TOOL + c));
  const { plan } = view.run;
  return kindOf(plan) === "rollout" || kindOf(plan) === "undo" ? rolloutNext(view) : hostNext(view);
}

function rolloutNext(view: ViewState): readonly string[] {
  const { run } = view;
  const id = run.plan.id;
  const verb = (name: string) => `${TOOL}rollout ${name} ${id}`;
  const failed = [...view.incidents.keys()].sort();
  const look = failed[0] === undefined ? [] : [statusCommand(run.plan, failed[0])];
  switch (run.status) {
    case "planned":
    case "queued":
    case "running":
    case "baking":
      if (run.wavePhase === "gate" && view.gate?.verdict === "waiting")
        return [verb("promote"), verb("undo")];
      return [verb("resume"), statusCommand(run.plan)];
    case "paused":
      if (run.reason === "gate") return [verb("promote"), verb("abort"), verb("undo")];
      if (run.reason === "failures") return [...look, verb("retry"), verb("abort"), verb("undo")];
      return [verb("resume"), verb("abort"), verb("undo")];
    case "aborting":
    case "rolling_back":
      return [verb("resume"), statusCommand(run.plan)];
    case "succeeded":
      return [...look, `${TOOL}status`];
    case "succeeded_with_stragglers":
      return [...look, `${TOOL}status --limit state=deferred`, verb("retry")];
    case "aborted":
    case "failed":
      return [...look, verb("retry"), verb("undo")];
    case "rolled_back":
    case "rollback_failed":
      return [...look, `${TOOL}status`];
    case "superseded":
      return [`${TOOL}rollout history`];
  }
}

function hostNext(view: ViewState): readonly string[] {
  const { plan } = view.run;
  const failed = [...view.incidents.keys()].sort();
  const open = [...view.run.hosts.values()].filter((h) => h.state === "deferred").map((h) => h.name);
  const again = [...new Set([...failed, ...open])];
  if (again.length === 0) {
    return view.run.endedAt === null
      ? [statusCommand(plan)]
      : [plan.hosts.length === 1 ? `${TOOL}generations ${plan.hosts[0]?.name}` : `${TOOL}status`];
  }
  if (kindOf(plan) === "install") return [`${TOOL}install --limit ${again.join(",")}`];
  return [statusCommand(plan, again[0]), `${TOOL}generations ${again.slice(0, 10).join(" ")}`];
}
