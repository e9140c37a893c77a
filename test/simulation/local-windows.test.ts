/** Windows by the clock on the wall, in zones that set theirs. */
import { describe, expect, test } from "vitest";
import type { MaintenanceWindow } from "../../src/plan/policy.ts";
import { windowState } from "../../src/plan/windows.ts";
import { randomInventory } from "../../src/simulation/fleet.ts";
import { inLocalWindows, isOpenByTheWall } from "../../src/simulation/local-windows.ts";
import { Random } from "../../src/simulation/random.ts";

const MINUTE = 60_000;
const window = (start: string, tz: string, more: Partial<MaintenanceWindow> = {}): MaintenanceWindow => ({
  days: [],
  start,
  lengthMs: 30 * MINUTE,
  tz,
  ...more,
});

describe("open by the wall", () => {
  const noon = Date.UTC(2026, 0, 5, 12); // a Monday
  test.each<[string, MaintenanceWindow, number, boolean]>([
    ["in it", window("12:00", "UTC"), noon, true],
    ["its last moment", window("12:00", "UTC"), noon + 30 * MINUTE - 1, true],
    ["over", window("12:00", "UTC"), noon + 30 * MINUTE, false],
    ["not yet", window("12:00", "UTC"), noon - 1, false],
    ["in local time", window("13:00", "Europe/Brussels"), noon, true],
    ["in a zone off by three quarters", window("17:45", "Asia/Kathmandu"), noon, true],
    ["on its day", window("12:00", "UTC", { days: ["mon"] }), noon, true],
    ["on another day", window("12:00", "UTC", { days: ["tue"] }), noon, false],
    ["summer time", window("14:00", "Europe/Brussels"), Date.UTC(2026, 6, 6, 12), true],
  ])("%s", (_, w, now, open) => expect(isOpenByTheWall([w], now)).toBe(open));

  test("without any: always", () => expect(isOpenByTheWall([], noon)).toBe(true));
});

test("the engine begins nothing in windows that the wall does not know, whatever the zone and the night", () => {
  let open = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const luck = new Random(seed);
    const { inventory, start } = inLocalWindows(randomInventory(luck), luck);
    for (const { windows, timezone } of Object.values(inventory.sites)) {
      const local = windows.map((w) => ({ ...w, tz: timezone }));
      for (let i = 0; i < 20 && local.length > 0; i++) {
        const now = start + luck.int(0, 4 * 3600) * 1000;
        if (!windowState(local, now).open) continue;
        open++;
        expect(isOpenByTheWall(local, now), `seed ${seed}, ${new Date(now).toISOString()}`).toBe(true);
      }
    }
  }
  expect(open).toBeGreaterThan(200);
});
