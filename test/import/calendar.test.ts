/** Cron's times in systemd's words; where there is a systemd, it has the last word. */
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { calendar } from "../../src/import/map/calendar.ts";

const analyze = (...args: string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8" });

describe("cron to calendar", () => {
  it.each([
    ["0 3 * * *", "*-*-* 03:00:00"],
    ["30 2 * * 0", "Sun *-*-* 02:30:00"],
    ["*/15 * * * *", "*-*-* *:00/15:00"],
    ["0 1-5/2 1,15 * *", "*-*-01,15 01..05/2:00:00"],
    ["0 0 * * 5-7", "Fri,Sat,Sun *-*-* 00:00:00"],
    ["@daily", "daily"],
  ])("%s is %s", (cron, expected) => expect(calendar(cron)).toBe(expected));

  it.each(["0 3 1 * 1", "60 3 * * *", "0 3 * *", "0 3 * * mon", "@reboot", "daily", "0 3 * * 3-1"])(
    "%s is left to a person",
    (cron) => expect(calendar(cron)).toBeNull(),
  );

  it.skipIf(analyze("--version").status !== 0)("says only what systemd understands", () => {
    const field = (low: number, high: number) => {
      const n = fc.integer({ min: low, max: high }).map(String);
      const range = fc
        .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
      const step = fc
        .tuple(fc.oneof(fc.constant("*"), range), fc.integer({ min: 1, max: 9 }))
        .map((p) => p.join("/"));
      return fc.oneof(
        fc.constant("*"),
        fc.array(fc.oneof(n, range, step), { minLength: 1, maxLength: 3 }).map((p) => p.join(",")),
      );
    };
    const cron = fc
      .tuple(
        field(0, 59),
        field(0, 23),
        field(1, 31),
        field(1, 12),
        field(0, 7).filter((d) => !d.includes("/")),
      )
      .map(([m, h, d, mon, w]) => [m, h, w === "*" ? d : "*", mon, w].join(" "));
    const said = fc.sample(cron, 200).map((text) => calendar(text));
    expect(said).not.toContain(null);
    const run = analyze("calendar", ...said.map(String));
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
  });
});
