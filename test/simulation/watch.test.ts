/** The watcher by script: a host that goes back at once because it turned ill surprises whoever was told to begin. */
import { expect, test } from "vitest";
import type { Activation } from "../../src/host/driver.ts";
import { receivePath } from "../../src/lab/machine/store.ts";
import type { EventBody, FleetEvent } from "../../src/rollout/events.ts";
import { systemEntry } from "../../src/simulation/fleet.ts";
import { planFor } from "../../src/simulation/scenario.ts";
import { Scheduler } from "../../src/simulation/scheduler.ts";
import { Watch } from "../../src/simulation/watch.ts";
import { World } from "../../src/simulation/world.ts";
import { aHost, anInventory } from "../support/fleet.ts";
import { host, run } from "../support/run.ts";

const WORD_LATENCY_MS = 10_000;
const count = (n: number) => ({ kind: "count", n }) as const;
const inventory = anInventory([aHost("a"), aHost("b")], {
  maxParallel: count(2),
  maxUnavailable: { fleet: count(1), clusters: {} },
});
const systems = new Map(
  ["a", "b"].map((name) => [
    name,
    { from: systemEntry(name, "r1", "good"), to: systemEntry(name, "r2", "good") },
  ]),
);

/** `a` is updated, then made to go back for `reason`; `b` is told to activate `ms` later. */
async function sentBack(reason: string, ms: number): Promise<readonly string[]> {
  const scheduler = new Scheduler(0);
  const later = async (wait: number) => {
    const until = scheduler.now + wait;
    scheduler.at(until, () => undefined);
    while (scheduler.now < until) await scheduler.step();
  };
  const site = new Map([...systems.keys()].map((name) => [name, "gent"]));
  const timing = { activation: 20_000, boot: 10_000, rebootDelay: 500, watchdog: 30_000 };
  const world = new World(scheduler, systems, site, new Map(), timing);
  const watch = new Watch(world, true);
  const plan = planFor(inventory, inventory.hosts, "r-1", systems, 0);
  const event = { type: "plan", level: "info", msg: "", data: { plan } } as const;
  const head = { ts: new Date(0).toISOString(), seq: 1, rollout: plan.id };
  watch.journals.read(plan.id, [{ ...event, ...head } as FleetEvent]);

  const operate = (host: string, ...operations: readonly string[]) => {
    const [from, to] = [systems.get(host)?.from.path ?? "", systems.get(host)?.to.path ?? ""];
    const p = { RUN: "r-1", ATTEMPT: "1", FENCE: "1", FROM: from, TO: to, CONFIRM_TIMEOUT: "60" };
    for (const operation of operations)
      expect(
        world.operate(host, operation, { ...p, MODE: "test", MAY_REBOOT: "1", REASON: reason }),
      ).toMatchObject({ exit: 0 });
  };
  for (const [name, { to }] of systems)
    world.change(name, (m) => {
      const received = receivePath(m, to);
      return received.ok ? received.machine : m;
    });
  operate("a", "stage", "activate");
  await later(25_000);
  const activation = { rollout: "r-1", attempt: 1 } as Activation;
  watch.heard("a", [{ name: "units", type: "systemd", status: "ok", message: "" }], activation);
  operate("a", "commit");
  operate("b", "stage");
  operate("a", "revert");
  await later(ms);
  operate("b", "activate");
  return watch.violations.map((v) => v.replace(/^\d+: /, ""));
}

const BROKEN = "b activated by r-1: max-unavailable 2 > 1 (a b)";

test("a word that was under way when the other turned ill is nobody's fault", async () => {
  expect(await sentBack("health", WORD_LATENCY_MS - 1)).toEqual([]);
});

test("a word sent well after that is", async () => {
  expect(await sentBack("health", WORD_LATENCY_MS)).toEqual([BROKEN]);
});

test("who is sent back by his rollout waits for room, and takes it at once", async () => {
  expect(await sentBack("operator", 1)).toEqual([BROKEN]);
});

test("a run that is tried again comes last, for the hosts that it moves", () => {
  const world = new World(new Scheduler(0), systems, new Map(), new Map(), {
    activation: 1,
    boot: 1,
    rebootDelay: 1,
    watchdog: 1,
  });
  const { journals } = new Watch(world, true);
  const tell = (run: string, from: number, ...bodies: readonly EventBody[]) =>
    journals.read(
      run,
      bodies.map(
        (b, i) => ({ ...b, ts: new Date(0).toISOString(), seq: from + i, rollout: run }) as FleetEvent,
      ),
    );
  const plan = (id: string): EventBody => ({
    type: "plan",
    level: "info",
    msg: "",
    data: { plan: planFor(inventory, inventory.hosts, id, systems, 0) },
  });
  tell("r-1", 1, plan("r-1"), host("a", "updated"), host("b", "reverted"), run("aborted"));
  tell("r-2", 1, plan("r-2"), host("a", "updated"), host("b", "updated"), run("succeeded"));
  tell("r-1", 5, host("b", "pending", { from: "reverted" }, 2), host("b", "updated", {}, 2));
  const order = (name: string) => journals.inOrder(name, journals.states).map((s) => s.plan.id);
  expect(order("a")).toEqual(["r-1", "r-2"]);
  expect(order("b")).toEqual(["r-2", "r-1"]);
});
