/** `Tue 02:00-05:00`, `Sat,Sun 23:00-01:00`: a site's hours in its own time; an end before the start is tomorrow's. */
import type { MaintenanceWindow } from "../plan/policy.ts";

const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const TIME = "((?:[01]\\d|2[0-3]):[0-5]\\d)";
export const SITE_WINDOW = new RegExp(`^(${DAY}(?:,${DAY})*) ${TIME}-(?:${TIME}|(24:00))$`);

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export function parseSiteWindow(text: string | undefined, tz: string): readonly MaintenanceWindow[] {
  const match = SITE_WINDOW.exec(text ?? "");
  if (match === null) return [];
  const [, days = "", start = "00:00", end, midnight] = match;
  const stated = days.toLowerCase().split(",");
  const from = minutes(start);
  const to = minutes(midnight ?? end ?? start);
  const length = to < from ? to + 24 * 60 - from : to - from;
  return [{ days: DAYS.filter((day) => stated.includes(day)), start, lengthMs: length * 60_000, tz }];
}

function minutes(time: string): number {
  const [hours = 0, rest = 0] = time.split(":").map(Number);
  return hours * 60 + rest;
}
