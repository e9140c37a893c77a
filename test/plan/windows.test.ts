/** Maintenance windows in local time, through the clock changes of Brussels and of places without any. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MaintenanceWindow } from "../../src/plan/policy.ts";
import { fits, nextFit, windowState } from "../../src/plan/windows.ts";

const HOUR = 3_600_000;
const MINUTE = 60_000;
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

const nightly = (
  start: string,
  hours: number,
  tz: string,
  days: MaintenanceWindow["days"] = [],
): MaintenanceWindow => ({
  days,
  start,
  lengthMs: hours * HOUR,
  tz,
});

/** Weekday and minute of the day as a clock on the wall there shows them. */
function wall(at: number, tz: string): { readonly day: (typeof DAYS)[number]; readonly minute: number } {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: tz,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(at);
  const part = (type: string) => parts.find((p) => p.type === type)?.value ?? "";
  return {
    day: part("weekday").toLowerCase() as (typeof DAYS)[number],
    minute: Number(part("hour")) * 60 + Number(part("minute")),
  };
}

describe("open and closed", () => {
  test("no windows: always open", () => {
    expect(windowState([], 0)).toEqual({ open: true, changesAt: null });
    expect(fits([], 0, 1e12)).toBe(true);
  });

  test("what was asked before changes no answer, whatever the clock does", () => {
    const moments = fc.array(fc.integer({ min: Date.UTC(2026, 2, 20), max: Date.UTC(2026, 3, 5) }), {
      maxLength: 20,
    });
    const zones = fc.constantFrom("Europe/Brussels", "America/New_York", "UTC");
    fc.assert(
      fc.property(
        moments,
        zones,
        fc.integer({ min: 1, max: 30 }),
        fc.subarray([...DAYS]),
        (all, tz, hours, days) => {
          const asked = nightly("01:30", hours, tz, days);
          for (const at of all) expect(windowState([asked], at)).toEqual(windowState([{ ...asked }], at));
        },
      ),
    );
  });

  /** Far from clock changes, a naive look at the wall clock decides. */
  test("as the clock on the wall there says, in any zone", () => {
    const calm = fc.integer({ min: Date.UTC(2026, 5, 1), max: Date.UTC(2026, 7, 30) });
    fc.assert(
      fc.property(
        calm,
        fc.constantFrom("Europe/Brussels", "UTC", "Asia/Kolkata", "America/New_York", "Pacific/Auckland"),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 1, max: 12 }),
        fc.subarray([...DAYS]),
        (at, tz, hour, hours, days) => {
          const start = `${String(hour).padStart(2, "0")}:30`;
          const { day, minute } = wall(at, tz);
          const from = hour * 60 + 30;
          const yesterday = DAYS[(DAYS.indexOf(day) + 6) % 7] ?? "sun";
          const on = (d: (typeof DAYS)[number]) => days.length === 0 || days.includes(d);
          const today = on(day) && minute >= from && minute < from + hours * 60;
          const fromYesterday = on(yesterday) && minute + 1440 >= from && minute + 1440 < from + hours * 60;
          expect(windowState([nightly(start, hours, tz, days)], at).open).toBe(today || fromYesterday);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("it changes exactly when it says", () => {
    const year = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) });
    fc.assert(
      fc.property(year, fc.subarray([...DAYS], { minLength: 1 }), (at, days) => {
        const windows = [nightly("02:00", 3, "Europe/Brussels", days)];
        const now = windowState(windows, at);
        expect(now.changesAt).not.toBeNull();
        const then = now.changesAt ?? 0;
        expect(then).toBeGreaterThan(at);
        expect(windowState(windows, then - 1).open).toBe(now.open);
        expect(windowState(windows, then + 1).open).toBe(!now.open);
      }),
      { numRuns: 200 },
    );
  });

  test("of several windows any open one will do, and the one that stays open longest counts", () => {
    const at = Date.UTC(2026, 6, 1, 2, 30);
    const both = [nightly("02:00", 1, "UTC"), nightly("02:15", 3, "UTC")];
    expect(windowState(both, at)).toEqual({ open: true, changesAt: Date.UTC(2026, 6, 1, 5, 15) });
  });
});

test("of several closed windows the next to open is waited for", () => {
  const at = Date.UTC(2026, 6, 1, 12);
  const windows = [nightly("04:00", 1, "UTC"), nightly("22:00", 1, "UTC"), nightly("13:00", 1, "UTC")];
  expect(windowState(windows, at)).toEqual({ open: false, changesAt: Date.UTC(2026, 6, 1, 13) });
});

describe("the first moment that leaves time enough", () => {
  const at = (day: number, hour: number, minute = 0) => Date.UTC(2026, 6, day, hour, minute);

  test("now, if there is no window at all or enough is left of one", () => {
    expect(nextFit([], 7, 1e12)).toBe(7);
    const night = [nightly("02:00", 3, "UTC")];
    expect(nextFit(night, at(1, 3), 2 * HOUR)).toBe(at(1, 3));
    expect(nextFit(night, at(1, 3), 2 * HOUR + 1)).toBe(at(2, 2));
    expect(nextFit(night, at(1, 1), 3 * HOUR)).toBe(at(1, 2));
    expect(nextFit(night, at(1, 1), 3 * HOUR + 1)).toBeNull();
  });

  test("a window that overlaps a shorter one counts from its own beginning", () => {
    const both = [nightly("01:00", 2, "UTC"), nightly("02:00", 3, "UTC")];
    expect(nextFit(both, at(1, 1), 3 * HOUR)).toBe(at(1, 2));
  });

  test("as whoever tries every quarter of an hour finds out", () => {
    const QUARTER = 15 * MINUTE;
    const window = fc
      .record({
        quarter: fc.integer({ min: 0, max: 95 }),
        length: fc.integer({ min: 1, max: 40 }),
        days: fc.subarray([...DAYS]),
        tz: fc.constantFrom("UTC", "Europe/Brussels", "Asia/Kolkata"),
      })
      .map(({ quarter: q, length, days, tz }) => ({
        ...nightly(`${Math.floor(q / 4)}:${(q % 4) * 15}`.replace(/\b\d\b/g, "0$&"), 0, tz, days),
        lengthMs: length * QUARTER,
      }));
    fc.assert(
      fc.property(
        fc.array(window, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: 7 * 96 }),
        fc.integer({ min: 1, max: 40 }),
        (windows, quarters, need) => {
          const now = at(1, 0) + quarters * QUARTER;
          const tries = Array.from({ length: 8 * 96 }, (_, i) => now + i * QUARTER);
          const first = tries.find((t) => fits(windows, t, need * QUARTER)) ?? null;
          expect(nextFit(windows, now, need * QUARTER)).toBe(first);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("the clock changes", () => {
  const brussels = [nightly("02:30", 2, "Europe/Brussels")];

  test("29 March 2026, 02:00 becomes 03:00: the window that would begin in the gap still begins, once", () => {
    const opens: number[] = [];
    let at = Date.UTC(2026, 2, 28, 12);
    const end = Date.UTC(2026, 2, 30, 12);
    while (at < end) {
      const state = windowState(brussels, at);
      if (state.changesAt === null) break;
      if (!state.open && state.changesAt < end) opens.push(state.changesAt);
      at = state.changesAt + 1;
    }
    const [first = 0, second = 0] = opens;
    expect(opens).toHaveLength(2);
    expect(first).toBeGreaterThanOrEqual(Date.UTC(2026, 2, 29, 1, 0));
    expect(first).toBeLessThanOrEqual(Date.UTC(2026, 2, 29, 1, 30));
    expect(second).toBe(Date.UTC(2026, 2, 30, 0, 30));
  });

  test("25 October 2026, 03:00 becomes 02:00: two hours stay two hours, and it does not begin twice", () => {
    const first = windowState(brussels, Date.UTC(2026, 9, 24, 22));
    expect(first).toEqual({ open: false, changesAt: Date.UTC(2026, 9, 25, 0, 30) });
    const open = windowState(brussels, Date.UTC(2026, 9, 25, 0, 31));
    expect(open.open).toBe(true);
    const closes = open.changesAt ?? 0;
    const next = windowState(brussels, closes + 1);
    expect(next.open).toBe(false);
    expect(next.changesAt).toBe(Date.UTC(2026, 9, 26, 1, 30));
    expect(closes - Date.UTC(2026, 9, 25, 0, 30)).toBeLessThanOrEqual(3 * HOUR);
  });
});

describe("what cannot finish does not start", () => {
  test("it fits exactly while the estimate ends before the window does", () => {
    const windows = [nightly("02:00", 3, "UTC")];
    const start = Date.UTC(2026, 6, 1, 2);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 179 }), fc.integer({ min: 0, max: 200 }), (into, need) => {
        expect(fits(windows, start + into * MINUTE, need * MINUTE)).toBe(into + need <= 180);
      }),
    );
  });

  test("to the millisecond", () => {
    const windows = [nightly("02:00", 3, "UTC")];
    const start = Date.UTC(2026, 6, 1, 2);
    expect([fits(windows, start, 3 * HOUR), fits(windows, start, 3 * HOUR + 1)]).toEqual([true, false]);
  });

  test("nothing fits into a closed window", () => {
    expect(fits([nightly("02:00", 3, "UTC")], Date.UTC(2026, 6, 1, 12), 0)).toBe(false);
  });
});
