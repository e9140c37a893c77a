/** Maintenance windows that open and close while a simulated rollout runs, in the local time of each site. [pure] */
import type { Inventory } from "../inventory/model.ts";
import type { MaintenanceWindow } from "../plan/policy.ts";
import type { Random } from "./random.ts";

const MINUTE = 60_000;

/** When a simulation may begin, and who sets their clocks about then. */
const STARTS: readonly { readonly at: number; readonly zone: string }[] = [
  { at: Date.UTC(2026, 0, 5, 12), zone: "UTC" },
  { at: Date.UTC(2026, 2, 29, 0, 50), zone: "Europe/Brussels" }, // summer time begins at 01:00 UTC
  { at: Date.UTC(2026, 9, 25, 0, 40), zone: "Europe/Brussels" }, // and ends
  { at: Date.UTC(2026, 2, 8, 6, 50), zone: "America/New_York" },
  { at: Date.UTC(2026, 10, 1, 5, 40), zone: "America/New_York" },
  { at: Date.UTC(2026, 3, 4, 14, 50), zone: "Australia/Lord_Howe" }, // by half an hour
];

const ZONES = ["Europe/Brussels", "America/St_Johns", "Asia/Kolkata", "Pacific/Chatham", "UTC"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

interface Local {
  /** Minutes since midnight. */
  readonly minute: number;
  readonly day: (typeof DAYS)[number];
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(at: number, timeZone: string): Local {
  let format = formats.get(timeZone);
  if (!format) {
    const parts = { weekday: "short", hour: "2-digit", minute: "2-digit" } as const;
    format = new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...parts });
    formats.set(timeZone, format);
  }
  const part = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const day = DAYS.find((d) => d === part.get("weekday")?.toLowerCase()) ?? "sun";
  return { minute: Number(part.get("hour")) * 60 + Number(part.get("minute")), day };
}

const clockText = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** Every site gets windows of its own, most of them long enough; returns when to begin, too. */
export function inLocalWindows(
  inventory: Inventory,
  luck: Random,
): { readonly inventory: Inventory; readonly start: number } {
  const start = luck.pick(STARTS);
  const siteOf = ([name, site]: readonly [string, Inventory["sites"][string]]) => {
    const timezone = luck.chance(0.5) ? start.zone : luck.pick(ZONES);
    const short = luck.chance(0.05);
    const windows: MaintenanceWindow[] = [];
    let at = start.at + luck.int(-6, 8) * MINUTE;
    for (let i = 0; i < 12; i++) {
      const { minute, day } = localTime(at, timezone);
      windows.push({
        days: luck.chance(0.1) ? [day] : [],
        start: clockText(minute),
        lengthMs: short ? luck.int(5, 15) * 1000 : luck.int(60, 480) * 1000,
        tz: "site",
      });
      at += luck.int(8, 45) * MINUTE;
    }
    return [name, { ...site, timezone, windows: luck.chance(0.8) ? windows : [] }] as const;
  };
  const sites = Object.fromEntries(Object.entries(inventory.sites).map(siteOf));
  return { inventory: { ...inventory, sites }, start: start.at };
}

/** By the clock on the wall, found out the slow way: was there, as long ago as it lasts at most, its hour? */
export function isOpenByTheWall(windows: readonly MaintenanceWindow[], now: number): boolean {
  return windows.length === 0 || windows.some((w) => covers(w, now));
}

function covers({ days, start, lengthMs, tz }: MaintenanceWindow, now: number): boolean {
  const begun = Math.floor(now / MINUTE) * MINUTE;
  for (let at = begun; at > now - lengthMs; at -= MINUTE) {
    const { minute, day } = localTime(at, tz);
    if (clockText(minute) === start && (days.length === 0 || days.includes(day))) return true;
  }
  return false;
}
