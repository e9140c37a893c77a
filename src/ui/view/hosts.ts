/** One host, one line: what it does now and how long that may last. Pure. */
import type { HostState } from "../../rollout/events.ts";
import type { HostProgress } from "../../rollout/state.ts";
import { classOf, kindOf, type RunKind, stateLabel, statusCommand } from "./classes.ts";
import { bytes, duration } from "./format.ts";
import { accent, bad, dim, good, type Line, line, type Span, span, strong, warn } from "./line.ts";
import type { ViewState } from "./model.ts";
import { pad, width } from "./width.ts";

export interface HostLineOptions {
  readonly now: number;
  /** Marker of a host in hand: a spinner's frame on a terminal. */
  readonly marker: string;
  /** Little room: only what cannot be left out. */
  readonly brief: boolean;
  readonly nameCells: number;
  readonly siteCells: number;
}

/** Column widths for these hosts, so that their lines align. */
export function columnsFor(view: ViewState, hosts: readonly HostProgress[]) {
  return {
    nameCells: Math.max(...hosts.map((h) => width(h.name)), 0),
    siteCells: Math.max(...hosts.map((h) => width(siteOf(view, h.name))), 0),
  };
}

/** ` ▸ node-17 gent  confirming  12s  reverts itself in 1m42s if not confirmed`. */
export function hostLine(view: ViewState, host: HostProgress, o: HostLineOptions): Line {
  const kind = kindOf(view.run.plan);
  return line(
    " ",
    mark(host.state, o.marker),
    " ",
    strong(pad(host.name, o.nameCells)),
    o.siteCells > 0 && dim(` ${pad(siteOf(view, host.name), o.siteCells)}`),
    "  ",
    pad(stateLabel(host.state, kind), 11),
    classOf(host.state) === "busy" ? busy(view, host, o) : settled(view, host, kind, o.now),
  );
}

function mark(state: HostState, marker: string): Span {
  switch (classOf(state)) {
    case "ok":
      return good("✓");
    case "failed":
      return bad("!");
    case "busy":
      return accent(marker);
    case "deferred":
      return warn("~");
    case "skipped":
      return dim("-");
    case "waiting":
      return dim("·");
  }
}

function busy(view: ViewState, host: HostProgress, o: HostLineOptions): Line {
  const work = view.work.get(host.name);
  const spent = dim(` ${pad(duration(o.now - host.since), 6)}`);
  const doing = work?.doing ? span(` ${work.doing}`) : null;
  return line(spent, promise(host, work?.revertsAt ?? null, o), doing);
}

/** What will happen by itself, and when. */
function promise(host: HostProgress, revertsAt: string | null, { now, brief }: HostLineOptions): Span | null {
  if (host.retryAt !== null) return warn(` tries again in ${duration(host.retryAt - now)}:`);
  if (revertsAt === null) return null;
  const left = Date.parse(revertsAt) - now;
  const lost = host.state === "unknown" ? "contact lost; " : "";
  if (brief) return warn(left > 0 ? ` reverts in ${duration(left)}` : " reverted by now");
  return left > 0
    ? warn(` ${lost}reverts itself in ${duration(left)} if not confirmed`)
    : warn(` ${lost}has reverted itself by now unless confirmed`);
}

function settled(view: ViewState, host: HostProgress, kind: RunKind, now: number): Line {
  const incident = view.incidents.get(host.name);
  if (incident && classOf(host.state) === "failed") {
    return line(" ", bad(incident.message), dim(`  → ${shortStatus(view, host.name)}`));
  }
  const reason = exclusion(view, host.name);
  if (reason !== null) return line(dim(` ${reason}`));
  const again = host.retryAt === null ? null : warn(` asks again in ${duration(host.retryAt - now)}:`);
  if (host.failure) return line(again, dim(` ${host.failure.message}`));
  if (host.bytes > 0 && (host.state === "updated" || host.state === "staged"))
    return line(dim(` ${bytes(host.bytes)} copied`));
  const waits = classOf(host.state) === "waiting" && host.wave > 0 && kind !== "install";
  return waits ? line(dim(` wave ${host.wave}`)) : [];
}

function shortStatus(view: ViewState, host: string): string {
  return statusCommand(view.run.plan, host).replace(/^macula-fleet /, "");
}

export function siteOf(view: ViewState, host: string): string {
  return view.run.targets.get(host)?.site ?? "";
}

function exclusion(view: ViewState, host: string): string | null {
  return view.run.plan.excluded.find((e) => e.host === host)?.reason ?? null;
}
