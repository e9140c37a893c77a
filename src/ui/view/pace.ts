/** How long the rest will take, from the steps measured in this run. Pure. */
import type { HostState } from "../../rollout/events.ts";
import type { HostProgress } from "../../rollout/state.ts";
import { classOf } from "./classes.ts";
import type { ViewState } from "./model.ts";

const ORDER: readonly HostState[] = [
  "preflight",
  "draining",
  "saving",
  "kexec",
  "leaving",
  "partitioning",
  "installing",
  "restoring",
  "restarting",
  "verifying",
  "staging",
  "staged",
  "activating",
  "rebooting",
  "confirming",
  "committing",
];

/** Milliseconds until the last host is done and the final bake is over; null before anything was measured. */
export function remaining(view: ViewState, now: number): number | null {
  const { run } = view;
  if (view.finished === 0 || run.endedAt !== null || run.status === "paused") return null;
  const watching = run.cutShortSeq === null ? Math.max(0, (run.soakUntil ?? now) - now) : 0;
  if (run.status === "baking") return watching;
  let total = run.wavePhase === "soaking" ? watching : 0;
  for (const wave of run.plan.waves) {
    if (wave.index < run.wave) continue;
    const hosts = wave.hosts.flatMap((name) => run.hosts.get(name) ?? []);
    const left = hosts.map((host) => hostLeft(view, host, now));
    const work = left.reduce((a, b) => a + b, 0);
    total += Math.max(work / lanes(view), ...left, 0);
    const soaked = wave.index === run.wave && run.wavePhase !== "updating";
    if (!soaked && wave.index > run.soaksCutTo) total += wave.soakMs;
  }
  return total + run.plan.policy.finalBakeMs;
}

/** Hosts that were in hand at the same time on average: what sites and guards allow shows only in practice. */
function lanes(view: ViewState): number {
  const spent = [...view.steps.values()].reduce((sum, step) => sum + step.totalMs, 0);
  return view.workedMs === 0 ? 1 : Math.max(1, spent / view.workedMs);
}

/** Mean time a host spends in a state, over hosts that went all the way. */
function mean(view: ViewState, state: HostState): number {
  return (view.steps.get(state)?.totalMs ?? 0) / Math.max(1, view.finished);
}

function hostLeft(view: ViewState, host: HostProgress, now: number): number {
  const kind = classOf(host.state);
  if (kind !== "busy" && kind !== "waiting") return 0;
  const from = ORDER.indexOf(host.state);
  const ahead = ORDER.slice(from + 1).reduce((sum, state) => sum + mean(view, state), 0);
  // Reverting, or lost: how long that takes says nothing about the steps.
  if (from < 0) return kind === "waiting" ? ahead : 0;
  return ahead + Math.max(0, mean(view, host.state) - (now - host.since));
}

/** Hosts finished per minute since the run began; null while there is nothing to divide. */
export function perMinute(view: ViewState, now: number): number | null {
  const minutes = (now - view.run.startedAt) / 60_000;
  return minutes <= 0 || view.finished === 0 ? null : view.finished / minutes;
}
