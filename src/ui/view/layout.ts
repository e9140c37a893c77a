/** The live screen, by size of the fleet: names while they can be read, numbers beyond. Pure. */
import type { HostProgress } from "../../rollout/state.ts";
import { histogram, roleBars, siteBars } from "./bars.ts";
import { classOf } from "./classes.ts";
import { canaryStatistics } from "./confidence.ts";
import { failureLines } from "./failures.ts";
import { count } from "./format.ts";
import { headerLines } from "./header.ts";
import { columnsFor, hostLine } from "./hosts.ts";
import { labLine } from "./lab.ts";
import { accent, cutTo, dim, type Line, line, strong, warn } from "./line.ts";
import type { ViewState } from "./model.ts";
import { nextCommands } from "./next.ts";
import { perMinute } from "./pace.ts";

export interface Screen {
  readonly columns: number;
  /** Lines there are for the view. */
  readonly rows: number;
  /** ms since the epoch. */
  readonly now: number;
  readonly isLab: boolean;
  /** What ^C does here; absent where there is no keyboard. */
  readonly control?: Control;
  /** Marker of what is in hand; default `▸`. */
  readonly marker?: string;
}

/** `drives`: this process runs it; `stopping`: the first ^C was typed; `watches`: another process runs it. */
export type Control = "drives" | "stopping" | "watches";

const CONTROL_LINE: Readonly<Record<Control, Line>> = {
  drives: line(dim(" ^C: finish hosts in hand, start none; twice: leave now")),
  stopping: line(warn(" stopping: hosts in hand finish or revert; ^C: leave now")),
  watches: line(dim(" ^C: stop watching; the run goes on")),
};

/** Never wider than `columns`, never longer than `rows`. */
export function liveLines(view: ViewState, screen: Screen): Line[] {
  const { columns, rows, now } = screen;
  const top = [
    ...(screen.isLab ? [labLine()] : []),
    ...headerLines(view, now, columns),
    ...roleBars(view, columns),
  ];
  const foot = footer(view, screen.control);
  const body = bodyLines(view, screen, Math.max(1, rows - top.length - foot.length));
  return [...top, ...body, ...foot].map((l) => cutTo(l, columns)).slice(0, Math.max(1, rows));
}

function bodyLines(view: ViewState, screen: Screen, room: number): Line[] {
  const size = view.run.hosts.size;
  if (size <= 5) return hostLines(view, [...view.run.hosts.values()], screen, room, "more");
  const failed = [...view.run.hosts.values()].filter((h) => classOf(h.state) === "failed");
  const active = [...view.run.hosts.values()].filter((h) => classOf(h.state) === "busy").sort(slowestFirst);
  if (size <= 50) {
    const reserved = Math.min(failed.length, Math.ceil(room / 2));
    const upper = hostLines(view, active, screen, room - reserved, "more in hand");
    return [...upper, ...hostLines(view, failed, screen, room - upper.length, "more failed")];
  }
  const groups = failureLines(view, { most: Math.max(1, Math.floor(room / 3)), strata: size > 500 });
  const left = room - groups.length;
  if (size > 500)
    return [...histogram(view, screen.columns), rate(view, screen.now), ...groups].slice(0, room);
  const slowest = hostLines(view, active.slice(0, 10), screen, Math.min(11, Math.floor(left / 2)), "more");
  const sites = siteBars(view, screen.columns, Math.max(0, left - slowest.length));
  return [...sites, ...slowest, ...groups].slice(0, room);
}

const slowestFirst = (a: HostProgress, b: HostProgress): number =>
  a.since - b.since || a.name.localeCompare(b.name);

function hostLines(
  view: ViewState,
  hosts: readonly HostProgress[],
  screen: Screen,
  room: number,
  more: string,
): Line[] {
  if (room <= 0) return [];
  const shown = hosts.length > room ? hosts.slice(0, room - 1) : hosts;
  const o = {
    now: screen.now,
    marker: screen.marker ?? "▸",
    brief: screen.columns < 80,
    ...columnsFor(view, shown),
  };
  const lines = shown.map((host) => hostLine(view, host, o));
  const hidden = hosts.length - shown.length;
  return hidden > 0 ? [...lines, line(dim(`   and ${count(hidden)} ${more}`))] : lines;
}

function rate(view: ViewState, now: number): Line {
  const perMin = perMinute(view, now);
  return perMin === null ? [] : line(dim(` ${perMin.toFixed(perMin < 10 ? 1 : 0)} hosts per minute`));
}

/** What is asked or possible; while it works, what ^C does. */
function footer(view: ViewState, control: Control | undefined): Line[] {
  const clean = canaryStatistics(view);
  const stats = clean === null ? [] : [line(dim(` ${clean}`))];
  if (view.question) {
    return [
      ...stats,
      line(" ", strong(view.question.question), "  ", accent(view.question.answers.join(" | "))),
    ];
  }
  if (view.run.status === "paused" || view.run.wavePhase === "gate") {
    const next = nextCommands(view).map((c) => c.replace(/^macula-fleet /, ""));
    return [...stats, line(" next: ", accent(next.join(" | ")))];
  }
  return view.run.endedAt !== null || control === undefined ? stats : [...stats, CONTROL_LINE[control]];
}
