/** One event as one line of a log; null when it says nothing to a person. Pure. */
import type { EventOf, FleetEvent } from "../../rollout/events.ts";
import { classOf, kindOf, stateLabel, tally } from "./classes.ts";
import { canaryStatistics } from "./confidence.ts";
import { bytes, duration, names, plural } from "./format.ts";
import { pauseText } from "./header.ts";
import { bad, dim, good, type Line, line, type Span, span, strong, warn } from "./line.ts";
import type { ViewState } from "./model.ts";

/** `view`: after the event. `hosts: false` leaves out what only concerns one host and is no trouble. */
export function transitionLine(
  view: ViewState,
  event: FleetEvent,
  o: { readonly hosts: boolean },
): Line | null {
  const text = body(view, event, o.hosts);
  return text === null ? null : line(dim(event.ts.slice(11, 19)), " ", text);
}

function body(view: ViewState, event: FleetEvent, hosts: boolean): Line | null {
  switch (event.type) {
    case "rollout.state":
      return runState(view, event);
    case "rollout.command":
      return line(strong(`${event.data.command} by ${event.data.by}`), commandDetail(event.data));
    case "wave.start":
      return line(wave(view, event), ` starts: ${names(event.data.hosts, 8)}`);
    case "wave.soak":
      return line(
        wave(view, event),
        ` soaks for ${duration(Date.parse(event.data.until) - Date.parse(event.ts))}`,
      );
    case "wave.gate":
      return event.data.verdict === "open"
        ? null
        : line(wave(view, event), warn(` gate ${event.data.verdict}`), note(event.data.note));
    case "wave.end":
      return waveEnd(view, event);
    case "host.state":
      // A host that only answered, still at it: worth the journal, not a line.
      if (event.level === "debug" && event.data.from === event.data.to) return null;
      return hosts || trouble(event) ? hostState(view, event) : null;
    case "host.check":
      return hosts && !event.data.healthy
        ? line(hostName(event), warn(` not healthy: ${failing(event)}`))
        : null;
    case "prompt":
      return line(warn(event.data.question), `  ${event.data.answers.join(" | ")}`);
    case "diagnostic":
      return event.level === "debug" ? null : leveled(event, event.msg);
    default:
      return event.level === "warn" || event.level === "error" ? leveled(event, event.msg) : null;
  }
}

function runState(view: ViewState, event: EventOf<"rollout.state">): Line {
  const { to, reason, detail } = event.data;
  const name = to.replaceAll("_", " ");
  const why = to === "paused" ? `: ${pauseText(reason ?? null)}` : "";
  const tone = to === "paused" ? warn : to.includes("fail") || to.includes("abort") ? bad : strong;
  return line(view.run.plan.id, " is ", tone(name + why), to === "baking" ? null : note(detail));
}

function commandDetail(data: EventOf<"rollout.command">["data"]): string {
  if (data.full) return " through all waves";
  if (data.toWave !== undefined) return ` up to wave ${data.toWave}`;
  return data.hosts === undefined ? "" : `: ${names(data.hosts, 8)}`;
}

function wave(view: ViewState, event: FleetEvent): Span {
  const { waves } = view.run.plan;
  const index = event.wave ?? view.run.wave;
  return strong(`wave ${index}/${waves.length} (${waves[index - 1]?.label ?? "?"})`);
}

function waveEnd(view: ViewState, event: EventOf<"wave.end">): Line {
  const { ok, failed, deferred } = event.data;
  const isCanary = view.run.plan.waves[(event.wave ?? view.run.wave) - 1]?.kind === "canary";
  const statistics = isCanary ? canaryStatistics(view) : null;
  return line(
    wave(view, event),
    " ends: ",
    good(`${ok} ok`),
    failed > 0 && bad(`, ${failed} failed`),
    deferred > 0 && warn(`, ${deferred} deferred`),
    statistics !== null && dim(`; ${statistics}`),
  );
}

function trouble(event: EventOf<"host.state">): boolean {
  const { to, failure } = event.data;
  const level = event.level === "warn" || event.level === "error";
  return (
    level ||
    to === "reverting" ||
    to === "unknown" ||
    to === "drifted" ||
    classOf(to) === "failed" ||
    !!failure
  );
}

function hostState(view: ViewState, event: EventOf<"host.state">): Line {
  const { from, to, failure, deadline } = event.data;
  const kind = kindOf(view.run.plan);
  const move = from === to ? stateLabel(to, kind) : `${stateLabel(from, kind)} -> ${stateLabel(to, kind)}`;
  const tones = { ok: good, failed: bad, deferred: warn, skipped: dim, busy: span, waiting: span } as const;
  const tone = to === "reverting" || to === "unknown" ? warn : tones[classOf(to)];
  return line(
    hostName(event),
    " ",
    tone(move),
    to === "staged" && (event.data.bytes ?? 0) > 0 && dim(` ${bytes(event.data.bytes ?? 0)} copied`),
    typeof event.data.detail?.seed === "string" && dim(` from ${event.data.detail.seed} nearby`),
    // A phase takes minutes: its name alone says too little.
    kind === "install" && !failure && classOf(to) === "busy" && dim(`  ${event.msg}`),
    failure && `: ${failure.message}`,
    failure && dim(` [${failure.code}]`),
    failure?.hint !== undefined && dim(`  fix: ${failure.hint}`),
    deadline !== undefined && dim(timing(failure?.transient === true, deadline, event.ts)),
    exclusion(view, event),
  );
}

function timing(retry: boolean, deadline: string, ts: string): string {
  const left = duration(Date.parse(deadline) - Date.parse(ts));
  return retry ? `  tries again in ${left}` : `  reverts itself in ${left} if not confirmed`;
}

function exclusion(view: ViewState, event: EventOf<"host.state">): Line {
  if (event.data.to !== "skipped" && event.data.to !== "deferred") return [];
  const reason = view.run.plan.excluded.find((e) => e.host === event.host)?.reason;
  return line(dim(`  ${reason ?? (event.data.failure ? "" : event.msg)}`));
}

function hostName(event: FleetEvent): Line {
  return line(strong(event.host ?? "?"), event.site !== undefined && dim(` ${event.site}`));
}

function failing(event: EventOf<"host.check">): string {
  return event.data.results
    .filter((r) => r.status !== "ok")
    .map((r) => `${r.name}: ${r.message}`)
    .join("; ");
}

function leveled(event: FleetEvent, text: string): Line {
  const tone = event.level === "error" ? bad : event.level === "warn" ? warn : span;
  return line(event.host !== undefined && line(hostName(event), " "), tone(text));
}

const note = (text: string | undefined): string => (text ? ` (${text})` : "");

/** Large fleets: everything at once, every so often. */
export function progressLine(view: ViewState, ts: string): Line {
  const t = tally(view.run.hosts.values());
  const { plan } = view.run;
  return line(
    dim(ts.slice(11, 19)),
    ` wave ${view.run.wave}/${plan.waves.length}: `,
    good(`${t.ok} ${stateLabel("updated", kindOf(plan))}`),
    `, ${t.busy} in hand, ${t.waiting} waiting, `,
    t.failed > 0 ? bad(`${t.failed} failed`) : "0 failed",
    t.deferred > 0 && warn(`, ${t.deferred} deferred`),
    dim(` of ${plural(t.total, "host")}`),
  );
}
