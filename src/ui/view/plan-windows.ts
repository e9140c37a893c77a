/** When the hosts of a plan may start, where windows say so. Pure. */
import type { Plan, PlannedHost } from "../../plan/model.ts";
import type { Opening } from "../../plan/schedule.ts";
import { estimateMs } from "../../plan/windows.ts";
import { firstOf } from "./alike.ts";
import { duration, plural } from "./format.ts";
import { dim, type Line, line } from "./line.ts";

type Schedule = ReadonlyMap<string, Opening>;

const SITES = 6;

/** Of one wave, a line per site: `brussels: 5 hosts from Thu 26 Nov 02:00 to 03:56 Europe/Brussels (01:00 UTC)`. */
export function waveWindows(
  plan: Plan,
  hosts: readonly PlannedHost[],
  starts: Schedule,
  all = false,
): Line[] {
  const sites = [
    ...Map.groupBy(
      hosts.filter((h) => h.windows.length > 0),
      (h) => h.site ?? "no site",
    ),
  ];
  const { shown, more } = firstOf(sites, all ? sites.length : SITES);
  const need = estimateMs(plan.policy);
  const lines = shown.flatMap(([site, members]): Line[] => {
    const [first] = members;
    const opening = first && starts.get(first.name);
    if (!first || !opening) return [];
    const room =
      (Math.floor(((opening.until ?? Infinity) - opening.from) / need) + 1) * plan.limits.activatingPerSite;
    const later = members.length - room;
    return [
      line(
        dim("   window  "),
        `${site}: ${plural(members.length, "host")} `,
        span(opening, first),
        later > 0 && `, ${later} of them in a later one`,
      ),
    ];
  });
  return more > 0 ? [...lines, line(dim(`           and ${more} more sites`))] : lines;
}

/** For the line of a single host. */
export function hostWindow(host: PlannedHost, starts: Schedule): Line {
  const opening = host.windows.length === 0 ? undefined : starts.get(host.name);
  return opening ? line("  ", span(opening, host)) : [];
}

/** What the windows mean for this plan; nothing where there are none. */
export function windowNote(plan: Plan): Line[] {
  if (plan.hosts.every((h) => h.windows.length === 0)) return [];
  const need = duration(estimateMs(plan.policy));
  return [
    line(
      dim(
        ` windows  at the earliest; copied to before; a change may take ${need} and is not begun later than that before the end`,
      ),
    ),
  ];
}

function span({ from, until }: Opening, { windows }: PlannedHost): Line {
  const tz = windows[0]?.tz ?? "UTC";
  const end = until === null ? "" : ` to ${clock(until, tz)}`;
  return line(`from ${moment(from, tz)}${end} ${tz}`, tz !== "UTC" && dim(` (${clock(from, "UTC")} UTC)`));
}

const parts = (at: number, timeZone: string, o: Intl.DateTimeFormatOptions): Record<string, string> =>
  Object.fromEntries(
    new Intl.DateTimeFormat("en-GB", { timeZone, ...o }).formatToParts(at).map((p) => [p.type, p.value]),
  );

function clock(at: number, tz: string): string {
  const { hour, minute } = parts(at, tz, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  return `${hour}:${minute}`;
}

function moment(at: number, tz: string): string {
  const { weekday, day, month } = parts(at, tz, { weekday: "short", day: "numeric", month: "short" });
  return `${weekday} ${day} ${month} ${clock(at, tz)}`;
}
