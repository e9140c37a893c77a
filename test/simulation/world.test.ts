/** What the watcher takes for busy: hosts that do something for a rollout, as far as anybody could know. */
import { beforeEach, expect, test } from "vitest";
import { cutPower } from "../../src/lab/machine/power.ts";
import { receivePath } from "../../src/lab/machine/store.ts";
import { systemEntry } from "../../src/simulation/fleet.ts";
import { Scheduler } from "../../src/simulation/scheduler.ts";
import { World } from "../../src/simulation/world.ts";

const LATENCY_MS = 60_000;
const [from, to] = [systemEntry("a", "r1", "good"), systemEntry("a", "r2", "good")];
const timing = { activation: 1000, boot: 10_000, rebootDelay: 500, watchdog: 30_000 };
let scheduler: Scheduler;
let world: World;

const isBusy = () => world.isBusy("a", LATENCY_MS);
async function later(ms: number): Promise<void> {
  const until = scheduler.now + ms;
  scheduler.at(until, () => undefined);
  while (scheduler.now < until) await scheduler.step();
}
function operate(attempt: string, mode: "boot" | "test", ...operations: readonly string[]): void {
  const p = { RUN: "r-1", ATTEMPT: attempt, FENCE: "1", FROM: from.path, TO: to.path, CONFIRM_TIMEOUT: "60" };
  for (const operation of operations)
    expect(
      world.operate("a", operation, { ...p, MAY_REBOOT: "1", MODE: mode, REASON: "operator" }),
    ).toMatchObject({ exit: 0 });
}
const activate = (attempt: string) => operate(attempt, "boot", "stage", "activate");

beforeEach(() => {
  scheduler = new Scheduler(0);
  world = new World(scheduler, new Map([["a", { from, to }]]), new Map([["a", "s1"]]), new Map(), timing);
  world.change("a", (m) => {
    const received = receivePath(m, to);
    return received.ok ? received.machine : m;
  });
});

test("in flight, also while it restarts on purpose", async () => {
  expect(isBusy()).toBe(false);
  activate("1");
  expect(isBusy()).toBe(true);
  await later(3000);
  expect(world.machine("a").power.kind).toBe("booting");
  expect(isBusy()).toBe(true);
});

test("without power it is not; with power again it is, once somebody could know", async () => {
  activate("1");
  await later(1200);
  world.change("a", (m) => cutPower(m));
  await later(700_000);
  expect([isBusy(), world.isAtRisk("a")]).toEqual([false, true]);
  world.powerOn("a");
  await later(20_000);
  expect([isBusy(), world.isAtRisk("a")]).toEqual([false, true]);
  world.heardFrom("a");
  expect(isBusy()).toBe(true);
});

test("nobody heard from it: after the time that a guard may take it counts all the same", async () => {
  activate("1");
  await later(1200);
  world.change("a", (m) => cutPower(m));
  world.powerOn("a");
  await later(LATENCY_MS - 1);
  expect(isBusy()).toBe(false);
  await later(1);
  expect(isBusy()).toBe(true);
});

test("what begins after its power came back counts at once", async () => {
  world.change("a", (m) => cutPower(m));
  world.powerOn("a");
  await later(20_000);
  activate("1");
  expect(isBusy()).toBe(true);
});

test("its way back after a commit was cut short: it runs what it boots by itself, and nothing changes any more", async () => {
  operate("1", "test", "stage", "activate");
  await later(2000);
  operate("1", "test", "commit", "revert");
  expect(world.isAtRisk("a")).toBe(true);
  world.change("a", (m) => cutPower(m));
  await later(100_000);
  expect(world.isAtRisk("a")).toBe(true);
  world.powerOn("a");
  await later(20_000);
  expect(world.machine("a")).toMatchObject({
    memory: { current: to.path },
    disk: { state: { phase: "reverting" } },
  });
  expect(world.isAtRisk("a")).toBe(false);
});
