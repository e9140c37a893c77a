/** The example with windows in two time zones, planned at a fixed moment: what docs/rollouts.md shows is what is printed. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import type { PlannedHost } from "../../src/plan/model.ts";
import { textOf } from "../../src/ui/view/line.ts";
import { planLines } from "../../src/ui/view/plan.ts";
import { aPlan } from "../support/fleet.ts";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
/** A Tuesday at noon in UTC: both windows open in the night that follows. */
const NOON = Date.parse("2026-11-24T12:00:00Z");

async function planned(now: number) {
  const loaded = await loadInventory({
    path: at("inventory/examples/two-zones.yaml"),
    cwd: "/",
    env: { HOME: "/home/op" },
    now,
  });
  return aPlan(requireValid(loaded), { id: "r-1a2b3c", now });
}
const shown = async (now: number) =>
  planLines(await planned(now), { columns: 110 })
    .map(textOf)
    .join("\n");

test("who may start when, who is copied to ahead, and whose window is too short", async () => {
  const text = await shown(NOON);
  expect(readFileSync(at("docs/rollouts.md"), "utf8")).toContain(text);
  expect(text).toMatch(/bru-peer-09 .* from Wed 25 Nov 02:00 to 03:56 Europe\/Brussels \(01:00 UTC\)/);
  expect(text).toContain("newyork: 3 hosts from Wed 25 Nov 02:19 to 02:56 America/New_York (07:19 UTC)");
  // The canary over there ends when it is morning here: the next night, then.
  expect(text).toContain("brussels: 6 hosts from Thu 26 Nov 02:00 to 03:56 Europe/Brussels (01:00 UTC)");
  expect(text).toMatch(/deferred nyc-kiosk-01, nyc-kiosk-02 .* as long as a change may take: 4 min/);
});

test("inside a window a host may start now; too late in it, it waits for the next", async () => {
  const brussels = (text: string) => /bru-peer-09 .* from (.*) Europe/.exec(text)?.[1];
  expect(brussels(await shown(Date.parse("2026-11-25T02:30:00Z")))).toBe("Wed 25 Nov 03:30 to 03:56");
  expect(brussels(await shown(Date.parse("2026-11-25T02:57:00Z")))).toBe("Thu 26 Nov 02:00 to 03:56");
});

test("more hosts than a window has room for: the rest is told to come later", async () => {
  const plan = await planned(NOON);
  const short = (h: PlannedHost) => ({
    ...h,
    windows: h.windows.map((w) => ({ ...w, lengthMs: 9 * 60_000 })),
  });
  const tight = {
    ...plan,
    hosts: plan.hosts.map(short),
    limits: { ...plan.limits, activatingPerSite: 1 },
  };
  const text = planLines(tight, { columns: 110 }).map(textOf).join("\n");
  expect(text).toMatch(/brussels: 6 hosts from .* to 02:05 Europe\/Brussels .*, 4 of them in a later one/);
});

test("the hosts that are refused are in no wave", async () => {
  const plan = await planned(NOON);
  expect(plan.hosts).toHaveLength(22);
  expect(plan.excluded.map((e) => [e.host, e.state])).toEqual([
    ["nyc-kiosk-01", "deferred"],
    ["nyc-kiosk-02", "deferred"],
  ]);
});
