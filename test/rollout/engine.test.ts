import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { Inventory } from "../../src/inventory/model.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import type { Plan } from "../../src/plan/model.ts";
import { drive } from "../../src/rollout/engine.ts";
import type { FleetEvent } from "../../src/rollout/events.ts";
import { type RolloutState, replay } from "../../src/rollout/state.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Store } from "../../src/store/store.ts";
import { FakeFleet } from "../support/fake-driver.ts";
import { aHost, anInventory, aPlan, FAST, system } from "../support/fleet.ts";
import { run } from "../support/run.ts";

const ten = () =>
  anInventory(
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map((n, i) =>
      aHost(`node-${n}`, "peer", { site: `s${i % 3}` }),
    ),
  );

function fleetOf(inventory: Inventory, healthy: (system: string) => boolean = () => true) {
  const fleet = new FakeFleet();
  for (const h of inventory.hosts) fleet.add(h.name, system(h.name, "r1"), healthy);
  return fleet;
}

async function begin(store: Store, plan: Plan): Promise<void> {
  await store.create({
    id: plan.id,
    kind: "rollout",
    revision: plan.revision,
    state: "planned",
    operator: "test",
    createdAt: 0,
    hosts: plan.hosts.length,
  });
  await store.append(plan.id, 0, [{ type: "plan", level: "info", msg: "planned", data: { plan } }], {
    now: Date.now(),
  });
}

async function go(
  store: Store,
  id: string,
  fleet: FakeFleet,
  inventory: Inventory,
  signals = new AbortController(),
  stopAfter = Infinity,
) {
  const events: FleetEvent[] = [];
  const deps = {
    store,
    clock: systemClock,
    owner: "test",
    driver: fleet,
    hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
    checks: () => [],
  };
  for await (const event of drive(id, deps, { drain: signals.signal, abort: new AbortController().signal })) {
    events.push(event);
    if (events.length >= stopAfter) break;
  }
  const state = replay(await store.events(id)) as RolloutState;
  return { events, state };
}

describe("drive", () => {
  test("updates every host, canary first, and says so", async () => {
    const inventory = ten();
    const fleet = fleetOf(inventory);
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await begin(store, plan);
    const stop = new AbortController();
    const { state, events } = await go(store, plan.id, fleet, inventory, stop);
    expect(state.status).toBe("succeeded");
    expect(getEventListeners(stop.signal, "abort")).toEqual([]);
    for (const [name, host] of fleet.hosts) {
      expect(host.profile, name).toBe(system(name, "r2"));
      expect(host.activations).toHaveLength(1);
    }
    expect(events.at(-1)?.type).toBe("summary");
    const journal = await store.events(plan.id);
    expect(journal.map((e) => e.seq)).toEqual(journal.map((_, i) => i + 1));
  });

  test.each([1, 3])("copies to %i hosts at the same time, and to no more", async (copyParallel) => {
    const inventory = ten();
    const fleet = fleetOf(inventory);
    const perSite = { activating: 4, copying: 10 };
    const canary = { ...FAST.canary, count: { kind: "count" as const, n: 0 } };
    const waves = [{ kind: "percent" as const, pct: 100 }];
    const plan = aPlan({ ...inventory, policy: { ...FAST, perSite, canary, waves, copyParallel } });
    /** Nobody's copy ends before as many are on their way as there may be. */
    const copying: (() => void)[] = [];
    let [left, most] = [inventory.hosts.length, 0];
    const { stage } = fleet;
    fleet.stage = async (h) => {
      await new Promise<void>((arrived) => {
        copying.push(arrived);
        most = Math.max(most, copying.length);
        if (copying.length < Math.min(copyParallel, left)) return;
        left -= copying.length;
        for (const go of copying.splice(0)) go();
      });
      return stage.call(fleet, h);
    };
    const store = new MemoryStore();
    await begin(store, plan);
    const { state } = await go(store, plan.id, fleet, inventory);
    expect(state.status).toBe("succeeded");
    expect(most).toBe(copyParallel);
    const journal = await store.events(plan.id);
    const claimed = journal.map((_, i) => {
      const then = replay(journal.slice(0, i + 1)) as RolloutState;
      return [...then.hosts.values()].filter((h) => h.state === "preflight" || h.state === "staging").length;
    });
    expect(Math.max(...claimed)).toBe(copyParallel);
  });

  test("a bad canary goes back, the rollout pauses, nobody else is touched", async () => {
    const inventory = ten();
    const fleet = fleetOf(inventory, (s) => s.endsWith("r1"));
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await begin(store, plan);
    const { state, events } = await go(store, plan.id, fleet, inventory);
    expect(state.status).toBe("paused");
    expect(state.reason).toBe("failures");
    expect(events.at(-1)).toMatchObject({ type: "summary", data: { exit: 3, failed: 1, pending: 9 } });
    const canary = plan.waves[0]?.hosts[0] ?? "";
    expect(fleet.hosts.get(canary)).toMatchObject({ profile: system(canary, "r1"), phase: "reverted" });
    expect([...fleet.hosts].filter(([, h]) => h.activations.length > 0)).toHaveLength(1);
  });

  test("slow start: hosts in flight grow with those that proved healthy, up to max-parallel", async () => {
    const inventory = ten();
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await begin(store, plan);
    const { events } = await go(store, plan.id, fleetOf(inventory), inventory);
    const atRisk = new Set<string>();
    const most = new Map<number, number>();
    let proven = 0;
    for (const e of events) {
      if (e.type !== "host.state" || !e.host) continue;
      if (e.data.to === "activating") {
        atRisk.add(e.host);
        const failuresLeft = plan.waves[(e.wave ?? 1) - 1]?.maxFailures ?? 0;
        expect(atRisk.size).toBeLessThanOrEqual(failuresLeft + 1 + proven);
        expect(atRisk.size).toBeLessThanOrEqual(plan.limits.maxParallel);
        most.set(e.wave ?? 0, Math.max(most.get(e.wave ?? 0) ?? 0, atRisk.size));
      }
      if (e.data.to !== "updated") continue;
      proven++;
      atRisk.delete(e.host);
    }
    expect(most.get(1)).toBe(1);
    expect(Math.max(...most.values())).toBe(plan.limits.maxParallel);
  });

  test("a release that is bad everywhere costs one host, however many canaries and slots there are", async () => {
    const inventory = ten();
    const store = new MemoryStore();
    const fleet = fleetOf(inventory, (s) => s.endsWith("r1"));
    const policy = {
      ...inventory.policy,
      canary: { ...inventory.policy.canary, count: { kind: "count", n: 4 } },
    } as const;
    const plan = aPlan({ ...inventory, policy });
    await begin(store, plan);
    const { state } = await go(store, plan.id, fleet, inventory);
    expect(plan.waves[0]?.hosts).toHaveLength(4);
    expect(state).toMatchObject({ status: "paused", reason: "failures" });
    expect([...fleet.hosts.values()].filter((h) => h.activations.length > 0)).toHaveLength(1);
  });

  test.each([3, 7, 12, 20, 33, 50])(
    "resumes after a controller that died at event %i, without activating twice",
    async (stopAfter) => {
      const inventory = ten();
      const fleet = fleetOf(inventory);
      const store = new MemoryStore();
      const plan = aPlan(inventory);
      await begin(store, plan);
      await go(store, plan.id, fleet, inventory, new AbortController(), stopAfter);
      const { state } = await go(store, plan.id, fleet, inventory);
      expect(state.status).toBe("succeeded");
      for (const host of fleet.hosts.values()) expect(host.activations).toHaveLength(1);
    },
  );

  test("an offline host is deferred, not failed", async () => {
    const inventory = ten();
    const fleet = fleetOf(inventory);
    const gone = fleet.hosts.get("node-d");
    if (gone) gone.reachable = false;
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await begin(store, plan);
    const { state, events } = await go(store, plan.id, fleet, inventory);
    expect(state.status).toBe("succeeded_with_stragglers");
    expect(state.hosts.get("node-d")?.state).toBe("deferred");
    expect(events.at(-1)).toMatchObject({ data: { exit: 4, deferred: 1, ok: 9 } });
  });

  test("a run that has ended is not retried while another one has hosts of it", async () => {
    const inventory = ten();
    const fleet = fleetOf(inventory);
    const away = fleet.hosts.get("node-a");
    if (away) away.reachable = false;
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await begin(store, plan);
    expect((await go(store, plan.id, fleet, inventory)).state.status).toBe("succeeded_with_stragglers");
    if (away) away.reachable = true;
    const other = aPlan(inventory, { id: "r-other", hosts: inventory.hosts.slice(3) });
    await begin(store, other);

    await store.submit(plan.id, { command: "retry", by: "ann" });
    const { state, events } = await go(store, plan.id, fleet, inventory);
    expect(state.status).toBe("succeeded_with_stragglers");
    expect(events).toMatchObject([
      {
        type: "diagnostic",
        level: "warn",
        msg: expect.stringContaining("cannot retry: r-other (planned) has not finished with node-"),
        data: { code: "command-refused" },
      },
      { type: "summary" },
    ]);
    expect(away?.activations).toEqual([]);

    await store.append("r-other", 1, [run("aborted")], { now: Date.now() });
    await store.submit(plan.id, { command: "retry", by: "ann" });
    expect((await go(store, plan.id, fleet, inventory)).state.status).toBe("succeeded");
    expect(away?.activations).toHaveLength(1);
  });

  test("of two runs that began with the same hosts, none is driven while the other is there", async () => {
    const inventory = ten();
    const fleet = fleetOf(inventory);
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await begin(store, plan);
    await begin(store, aPlan(inventory, { id: "r-other", hosts: inventory.hosts.slice(3) }));
    const { state, events } = await go(store, plan.id, fleet, inventory);
    expect(events).toMatchObject([
      { type: "rollout.state", data: { from: "planned", to: "aborted" } },
      { type: "summary" },
    ]);
    expect(state.status).toBe("aborted");
    expect([...fleet.hosts.values()].flatMap((h) => h.activations)).toEqual([]);
    expect((await go(store, "r-other", fleet, inventory)).state.status).toBe("succeeded");
  });

  test("drain: nothing new starts, what runs is finished", async () => {
    const inventory = ten();
    const fleet = fleetOf(inventory);
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await begin(store, plan);
    const signals = new AbortController();
    setTimeout(() => signals.abort(), 150);
    const { state, events } = await go(store, plan.id, fleet, inventory, signals);
    expect(events.at(-1)).toMatchObject({ type: "summary", data: { exit: 130 } });
    expect(
      [...state.hosts.values()].filter((h) => ["activating", "confirming", "committing"].includes(h.state)),
    ).toEqual([]);
    expect((await go(store, plan.id, fleet, inventory)).state.status).toBe("succeeded");
  });

  test("bootstrap hosts go last, one at a time, and not while another is down", async () => {
    const inventory = anInventory([
      aHost("p-1"),
      aHost("p-2"),
      aHost("b-1", "bootstrap"),
      aHost("b-2", "bootstrap"),
      aHost("b-3", "bootstrap"),
    ]);
    const fleet = fleetOf(inventory);
    const b3 = fleet.hosts.get("b-3");
    if (b3) b3.healthy = () => false;
    const store = new MemoryStore();
    const plan = aPlan(inventory, { hosts: inventory.hosts.filter((h) => h.name !== "b-3") });
    await begin(store, plan);
    const { state } = await go(store, plan.id, fleet, inventory);
    expect(state.status).toBe("paused");
    expect(state.reason).toBe("quorum");
    expect(state.hosts.get("p-1")?.state).toBe("updated");
    expect([...fleet.hosts].filter(([n, h]) => n.startsWith("b") && h.activations.length > 0)).toEqual([]);
  });
});
