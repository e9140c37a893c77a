/** A host that is given up without power goes on with its test reboot when the power is back: it has its slot again. */
import { expect, test } from "vitest";
import { cutPower } from "../../src/lab/machine/power.ts";
import { drive } from "../../src/rollout/engine.ts";
import { replay } from "../../src/rollout/state.ts";
import { Controller } from "../../src/simulation/controller.ts";
import { systemEntry } from "../../src/simulation/fleet.ts";
import { createModelDriver } from "../../src/simulation/model-driver.ts";
import { Random } from "../../src/simulation/random.ts";
import { planFor } from "../../src/simulation/scenario.ts";
import { Scheduler } from "../../src/simulation/scheduler.ts";
import { World } from "../../src/simulation/world.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { aHost, anInventory, FAST } from "../support/fleet.ts";

const HORIZON_MS = 3_600_000;
const count = (n: number) => ({ kind: "count", n }) as const;
const inventory = anInventory(
  ["a", "b", "c"].map((name) => aHost(name)),
  {
    canary: { ...FAST.canary, count: count(0) },
    waves: [{ kind: "percent", pct: 100 }],
    maxParallel: count(1),
    maxUnavailable: { fleet: count(3), clusters: {} },
    onFailure: "continue",
    reboot: "always",
    confirmTimeoutMs: 60_000,
    minHealthyTimeMs: 20_000,
    healthyDeadlineMs: 60_000,
    progressDeadlineMs: 900_000,
    offline: { ...FAST.offline, unreachableDeadlineMs: 30_000 },
  },
);

/** The first host to restart loses its power; it has it back, or not, when the second is activated. */
async function rollout(returns: boolean) {
  const scheduler = new Scheduler(0);
  const systems = new Map(
    inventory.hosts.map(({ name }) => [
      name,
      { from: systemEntry(name, "r1", "good"), to: systemEntry(name, "r2", "good") },
    ]),
  );
  const timing = { activation: 1000, boot: 25_000, rebootDelay: 500, watchdog: 30_000 };
  const site = new Map(inventory.hosts.map((h) => [h.name, "gent"]));
  const world = new World(scheduler, systems, site, new Map(), timing);
  const plan = planFor(inventory, inventory.hosts, "r-1", systems, 0);
  const begun: string[] = [];
  const beside: string[][] = [];
  world.watch((host, operation) => {
    if (operation !== "activate" || begun.includes(host)) return;
    begun.push(host);
    beside.push(world.hosts.filter((other) => other !== host && world.isBusy(other, 0)));
    if (begun.length === 1)
      scheduler.after(1200, () => {
        world.change(host, (m) => cutPower(m));
      });
    if (begun.length === 2 && returns) world.powerOn(begun[0] ?? "");
  });

  const store = new MemoryStore();
  const row = { kind: "rollout", revision: "r2", operator: "test", createdAt: 0, hosts: 3 } as const;
  await store.create({ id: plan.id, state: "planned", ...row });
  await store.append(plan.id, 0, [{ type: "plan", level: "info", msg: "", data: { plan } }], { now: 0 });
  const me = new Controller("c1", plan.id, scheduler, new Random(1), 0);
  const calm = { latencyMs: 20, cutBefore: 0, cutAfter: 0, hangs: 0 };
  const deps = {
    store,
    clock: me.clock,
    owner: me.name,
    hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
    checks: () => [],
    driver: createModelDriver(world, me, { linkOf: () => calm }),
  };
  let over = false;
  const messages: string[] = [];
  const done = (async () => {
    const signals = { drain: me.drain.signal, abort: me.leave.signal };
    for await (const event of drive(plan.id, deps, signals)) messages.push(`${event.host}: ${event.msg}`);
  })().finally(() => {
    over = true;
  });
  scheduler.at(HORIZON_MS, () => undefined);
  while (!over && (await scheduler.step()));
  expect(over, "the run ends").toBe(true);
  await done;
  const state = replay(await store.events(plan.id));
  const outcome = (i: number) => state?.hosts.get(begun[i] ?? "")?.state;
  return { begun, beside, messages, status: state?.status, outcomes: [0, 1, 2].map(outcome) };
}

test("nobody is activated beside it until it is at rest", async () => {
  const { begun, beside, messages, outcomes } = await rollout(true);
  const [dark, , waiting] = begun;
  expect(messages).toContain(`${waiting}: waits (max-parallel): given up, still at it: ${dark}`);
  expect(beside).toEqual([[], [], []]);
  expect(outcomes).toEqual(["reverted", "updated", "updated"]);
});

test("one whose power never comes back holds nobody up, and the run ends", async () => {
  const { begun, beside, status, outcomes } = await rollout(false);
  expect(begun).toHaveLength(3);
  expect(beside).toEqual([[], [], []]);
  expect(outcomes).toEqual(["failed", "updated", "updated"]);
  expect(status).toBe("succeeded_with_stragglers");
});
