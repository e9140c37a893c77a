/** The first lines of every live view: which run, where it stands, what it may still lose. Pure. */
import type { PauseReason } from "../../rollout/events.ts";
import { hostsIn } from "../../rollout/groups.ts";
import type { RolloutState } from "../../rollout/state.ts";
import { classOf, kindOf, tally } from "./classes.ts";
import { clockface, duration, plural, versions } from "./format.ts";
import { accent, bad, dim, flow, good, type Line, line, span, strong, warn } from "./line.ts";
import type { ViewState } from "./model.ts";
import { remaining } from "./pace.ts";

export function headerLines(view: ViewState, now: number, columns: number): Line[] {
  return flow([title(view), phase(view, now), ...numbers(view), eta(view, now)], columns);
}

function title(view: ViewState): Line {
  const { plan } = view.run;
  const kind = kindOf(plan);
  const verb = kind === "rollout" ? "" : ` ${kind}`;
  return line(strong(plan.id), verb, ` ${plan.fleet} `, strong(versions(plan)));
}

/** `wave 2/4 (10 %)  soaking 03:12/05:00`. */
function phase(view: ViewState, now: number): Line {
  const { run } = view;
  const wave = run.plan.waves[run.wave - 1];
  const where = wave === undefined ? "" : `wave ${run.wave}/${run.plan.waves.length} (${wave.label})  `;
  return line(where, activity(view, wave?.soakMs ?? 0, now));
}

function activity(view: ViewState, soakMs: number, now: number): Line {
  const { run } = view;
  switch (run.status) {
    case "paused":
      return line(warn(`paused: ${pauseText(run.reason)}`));
    case "baking":
      return line(
        accent(`baking ${promoted(run) ?? countdown(run.soakUntil, run.plan.policy.finalBakeMs, now)}`),
      );
    case "running":
      if (run.wavePhase === "soaking") {
        return line(accent(`soaking ${promoted(run) ?? countdown(run.soakUntil, soakMs, now)}`));
      }
      if (run.wavePhase === "gate") return line(gateText(view));
      return line(accent(run.wave === 0 ? "starting" : doneText(view)));
    case "succeeded":
      return line(good("succeeded"));
    default:
      return line(warn(run.status.replaceAll("_", " ")));
  }
}

function gateText(view: ViewState) {
  const note = view.gate?.note ? `: ${view.gate.note}` : "";
  if (view.gate?.verdict === "open") return good("gate open");
  return warn(`gate ${view.gate?.verdict ?? "waiting"}${note}`);
}

function doneText(view: ViewState): string {
  const kind = kindOf(view.run.plan);
  return kind === "install" ? "installing" : kind === "rollout" ? "updating" : "rolling back";
}

/** What a soak or bake that was cut short still waits for; null: for its time. */
function promoted(run: RolloutState): string | null {
  const cut = run.cutShortSeq;
  if (cut === null) return null;
  const watched = hostsIn(run, "updated", run.status === "baking" ? undefined : run.wave);
  return `until all were seen healthy again: ${watched.filter((h) => h.wellSeq > cut).length}/${watched.length}`;
}

/** Elapsed of the whole: what passes can be watched, what remains can be computed. */
function countdown(until: number | null, total: number, now: number): string {
  if (until === null) return "";
  const left = Math.max(0, until - now);
  return left > total ? clockface(left) : `${clockface(total - left)}/${clockface(total)}`;
}

const PAUSE_TEXT: Readonly<Record<PauseReason, string>> = {
  operator: "by the operator",
  gate: "waiting to be promoted",
  failures: "too many failures",
  quorum: "a quorum would be lost",
  window: "outside the maintenance window",
  deadline: "no progress in time",
  lease: "another controller took over",
  uplink: "the controller lost its own network",
};

export function pauseText(reason: PauseReason | null): string {
  return reason === null ? "stopped" : PAUSE_TEXT[reason];
}

/** `failed 0/≤2`, `unavail 1/5`, `deferred 2`. Failures count per wave, as the limit does. */
function numbers(view: ViewState): Line[] {
  const { run } = view;
  const all = tally(run.hosts.values());
  const wave = run.plan.waves[run.wave - 1];
  const failed = wave?.hosts.filter((h) => isFailed(view, h)).length ?? 0;
  const tolerated = view.budget?.maxFailures ?? wave?.maxFailures ?? 0;
  const elsewhere = all.failed > failed ? ` (${all.failed} in all)` : "";
  const failures = `failed ${failed}/≤${tolerated}${elsewhere}`;
  const unavailable = Math.max(all.unavailable, view.budget?.unavailable ?? 0);
  return [
    line(all.failed > 0 ? bad(failures) : span(failures)),
    line(span(`unavail ${unavailable}/${view.budget?.maxUnavailable ?? run.plan.limits.maxUnavailable}`)),
    all.deferred > 0 ? line(warn(`deferred ${all.deferred}`)) : [],
    line(`${all.ok} of ${plural(run.plan.hosts.length, "host")}`),
  ];
}

function isFailed(view: ViewState, host: string): boolean {
  const state = view.run.hosts.get(host)?.state;
  return state !== undefined && classOf(state) === "failed";
}

function eta(view: ViewState, now: number): Line {
  const ms = remaining(view, now);
  return ms === null || ms <= 0 ? [] : line(dim(`about ${duration(ms)} left`));
}
