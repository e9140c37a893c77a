/** The judge of what is remembered: does it notice? */
import { expect, test } from "vitest";
import type { HostState } from "../../src/rollout/events.ts";
import { systemEntry } from "../../src/simulation/fleet.ts";
import { planFor } from "../../src/simulation/scenario.ts";
import { Scheduler } from "../../src/simulation/scheduler.ts";
import { judgeRecords } from "../../src/simulation/verdict.ts";
import { World } from "../../src/simulation/world.ts";
import type { HostRecord } from "../../src/store/store.ts";
import { aHost, anInventory } from "../support/fleet.ts";
import { aRun, host, run, wave } from "../support/run.ts";

const inventory = anInventory([aHost("a")]);
const [r1, r2] = [systemEntry("a", "r1", "good"), systemEntry("a", "r2", "good")];
const systems = new Map([["a", { from: r1, to: r2 }]]);
const timing = { activation: 1_000, boot: 10_000, rebootDelay: 500, watchdog: 30_000 };
const owes = { run: "r-1", revision: "r2", since: 0 };

test.each<[HostState, Partial<HostRecord>, RegExp | null, Record<string, unknown>?]>([
  ["updated", { lastHealthy: r2.path }, null],
  ["updated", { lastHealthy: r1.path }, /left a updated, but it is remembered as healthy with .*-r1$/],
  ["updated", {}, /as healthy with nothing$/],
  ["reverted", { lastHealthy: r1.path }, null],
  [
    "reverted",
    { lastHealthy: r2.path },
    /left a reverted, but it is remembered as healthy with what it left$/,
  ],
  ["deferred", { owes }, null],
  ["deferred", {}, /left a deferred, but it is remembered to owe nothing$/],
  ["failed", {}, null],
  ["skipped", {}, null],
  ["skipped", {}, /left a skipped, but it is remembered as something else$/, { confirmed: true }],
  ["skipped", { lastHealthy: r2.path }, null, { confirmed: true }],
])("%s, remembered as %o", (state, record, said, detail = {}) => {
  const world = new World(new Scheduler(0), systems, new Map([["a", "gent"]]), new Map(), timing);
  const plan = planFor(inventory, inventory.hosts, "r-1", systems, 0);
  const moves = [host("a", "staging", { previous: r1.path }), host("a", state, { detail })];
  const last = aRun(plan, run("running"), wave("wave.start", 1), ...moves);
  const problems = judgeRecords(
    world,
    () => [last],
    () => true,
    new Map([["a", { host: "a", ...record }]]),
  );
  expect(problems).toEqual(said === null ? [] : [expect.stringMatching(said)]);
});
