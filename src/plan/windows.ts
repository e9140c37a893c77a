/** Maintenance windows: they gate starting only. Local times follow the zone's clock changes (croner). Pure. */
import { Cron } from "croner";
import type { MaintenanceWindow, Policy } from "./policy.ts";

const DAY = { sun: 0, mon: 1, tue: 2, wed: 3, thu: 4, fri: 5, sat: 6 } as const;

export interface WindowState {
  readonly open: boolean;
  /** When it closes (open) or next opens (closed); ms since the epoch. Null: always open. */
  readonly changesAt: number | null;
}

/** No window at all means always open. With several, any open one suffices. */
export function windowState(windows: readonly MaintenanceWindow[], now: number): WindowState {
  if (windows.length === 0) return { open: true, changesAt: null };
  const states = windows.map((w) => stateOf(w, now));
  const open = states.filter((s) => s.open);
  return open.length > 0
    ? { open: true, changesAt: Math.max(...open.map((s) => s.changesAt)) }
    : { open: false, changesAt: Math.min(...states.map((s) => s.changesAt)) };
}

/** Would something that takes `estimateMs` and starts now still be over before the window closes? */
export function fits(windows: readonly MaintenanceWindow[], now: number, estimateMs: number): boolean {
  const state = windowState(windows, now);
  return state.open && (state.changesAt === null || now + estimateMs <= state.changesAt);
}

/** A cautious guess of activation, proof and commit, so that a window is not started into too late. */
export const estimateMs = (p: Policy): number => p.minHealthyTimeMs + p.confirmTimeoutMs;

/** The first moment, `now` or later, at which something that takes `needMs` fits; null: none ever does. */
export function nextFit(windows: readonly MaintenanceWindow[], now: number, needMs: number): number | null {
  if (windows.length === 0) return now;
  const first = Math.min(...windows.map((w) => firstFit(w, now, needMs)));
  return first === Infinity ? null : first;
}

function firstFit(window: MaintenanceWindow, now: number, needMs: number): number {
  const { open, changesAt } = stateOf(window, now);
  if (open && now + needMs <= changesAt) return now;
  if (window.lengthMs < needMs) return Infinity;
  return open ? nextStart(window, now) : changesAt;
}

interface Turn {
  readonly open: boolean;
  readonly changesAt: number;
}

/** What was last found out about a window, and since when: it stays true until it changes, and is slow to find out. */
const known = new WeakMap<MaintenanceWindow, Turn & { readonly since: number }>();

function stateOf(window: MaintenanceWindow, now: number): Turn {
  const last = known.get(window);
  if (last && last.since <= now && now < last.changesAt) return last;
  const state = { ...lookUp(window, now), since: now };
  known.set(window, state);
  return state;
}

/** By pattern and zone: reading a pattern takes longer than asking it, and what was read is large. */
const patterns = new Map<string, Cron>();
/** A fleet has a handful, a large one some hundreds. */
const PATTERNS = 1000;

function starts({ start, days, tz: timezone }: MaintenanceWindow): Cron {
  const [hour, minute] = start.split(":");
  const pattern = `0 ${Number(minute)} ${Number(hour)} * * ${days.map((d) => DAY[d]).join(",") || "*"}`;
  const key = `${pattern} ${timezone}`;
  const read = patterns.get(key);
  if (read) return read;
  if (patterns.size >= PATTERNS) patterns.clear();
  const cron = new Cron(pattern, { timezone });
  patterns.set(key, cron);
  return cron;
}

/** A time of the day comes again in every week. */
const nextStart = (window: MaintenanceWindow, after: number): number =>
  starts(window).nextRun(new Date(after))?.getTime() ?? Infinity;

function lookUp(window: MaintenanceWindow, now: number): Turn {
  // The start that could still cover `now` is the first one after `now - length`.
  const start = nextStart(window, now - window.lengthMs);
  return start <= now
    ? { open: true, changesAt: start + window.lengthMs }
    : { open: false, changesAt: start };
}
