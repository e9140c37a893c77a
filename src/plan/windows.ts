/** Maintenance windows: they gate starting only. Local times follow the zone's clock changes (croner). Pure. */
import { Cron } from "croner";
import type { MaintenanceWindow } from "./policy.ts";

const DAY = { sun: 0, mon: 1, tue: 2, wed: 3, thu: 4, fri: 5, sat: 6 } as const;

export interface WindowState {
  readonly open: boolean;
  /** When it closes (open) or next opens (closed); ms since the epoch. Null: never. */
  readonly changesAt: number | null;
}

/** No window at all means always open. With several, any open one suffices. */
export function windowState(windows: readonly MaintenanceWindow[], now: number): WindowState {
  if (windows.length === 0) return { open: true, changesAt: null };
  const states = windows.map((w) => stateOf(w, now));
  const open = states.filter((s) => s.open);
  const times = (open.length > 0 ? open : states).flatMap((s) => (s.changesAt === null ? [] : [s.changesAt]));
  if (times.length === 0) return { open: open.length > 0, changesAt: null };
  return { open: open.length > 0, changesAt: open.length > 0 ? Math.max(...times) : Math.min(...times) };
}

/** Would something that takes `estimateMs` and starts now still be over before the window closes? */
export function fits(windows: readonly MaintenanceWindow[], now: number, estimateMs: number): boolean {
  const state = windowState(windows, now);
  return state.open && (state.changesAt === null || now + estimateMs <= state.changesAt);
}

/** What was last found out about a window, and since when: it stays true until it changes, and is slow to find out. */
const known = new WeakMap<MaintenanceWindow, { readonly since: number; readonly state: WindowState }>();

function stateOf(window: MaintenanceWindow, now: number): WindowState {
  const last = known.get(window);
  if (last && last.since <= now && now < (last.state.changesAt ?? -Infinity)) return last.state;
  const state = lookUp(window, now);
  known.set(window, { since: now, state });
  return state;
}

function lookUp(window: MaintenanceWindow, now: number): WindowState {
  const [hour = "0", minute = "0"] = window.start.split(":");
  const days = window.days.map((d) => DAY[d]).join(",") || "*";
  const cron = new Cron(`0 ${Number(minute)} ${Number(hour)} * * ${days}`, {
    timezone: window.tz,
    paused: true,
  });
  // The start that could still cover `now` is the first one after `now - length`.
  const start = cron.nextRun(new Date(now - window.lengthMs))?.getTime() ?? null;
  if (start === null) return { open: false, changesAt: null };
  return start <= now
    ? { open: true, changesAt: start + window.lengthMs }
    : { open: false, changesAt: start };
}
