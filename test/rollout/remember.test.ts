/** What is remembered of hosts after runs: which revision a host has, also after it went back. */
import { expect, test } from "vitest";
import type { Plan } from "../../src/plan/model.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import { hostRecords, remembered } from "../../src/rollout/remember.ts";
import { initialState, type RolloutState } from "../../src/rollout/state.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { aHost, anInventory, aPlan, system } from "../support/fleet.ts";
import { aRun, host, run, wave } from "../support/run.ts";

const inventory = anInventory([aHost("a")]);

/** A run of one host that ended like this. */
function ended(plan: Plan, state: HostState, previous: string): RolloutState {
  const run = initialState({
    ts: "2026-01-01T00:00:00.000Z",
    seq: 1,
    rollout: plan.id,
    level: "info",
    msg: "",
    type: "plan",
    data: { plan },
  });
  const host = run.hosts.get("a");
  if (!host) throw new Error("no host");
  return { ...run, hosts: run.hosts.with("a", { ...host, state, previous }) };
}

async function rememberHosts(store: MemoryStore, state: RolloutState, now: number): Promise<void> {
  for (const change of hostRecords(state, await store.hosts(), now)) await store.putHost(change);
}

const planOf = (from: string, to: string, revision: string, kind: Plan["kind"] = "rollout") =>
  aPlan(inventory, {
    kind,
    revision,
    force: true,
    known: new Map([["a", { reachable: true, current: system("a", from) }]]),
    targets: new Map([["a", { toplevel: system("a", to), size: 1 }]]),
  });

test("a host that was rolled back has the revision it had before, not the name of the run", async () => {
  const store = new MemoryStore();
  const go = (from: string, to: string, revision: string, kind?: Plan["kind"]) =>
    rememberHosts(store, ended(planOf(from, to, revision, kind), "updated", system("a", from)), 1);
  const record = async () => (await store.hosts()).get("a");

  await go("r1", "r2", "r2");
  expect(await record()).toMatchObject({ revision: "r2", lastHealthy: system("a", "r2") });
  await go("r2", "r3", "r3");
  expect(await record()).toMatchObject({ revision: "r3", previousRevision: "r2" });
  await go("r3", "r2", "last healthy", "rollback");
  expect(await record()).toMatchObject({
    revision: "r2",
    lastHealthy: system("a", "r2"),
    previousRevision: "r3",
  });
  await go("r2", "r3", "undo of r-1", "undo");
  expect(await record()).toMatchObject({ revision: "r3", previousRevision: "r2" });
});

test("a system nobody here gave a revision has none", () => {
  const before = new Map([["a", { host: "a", revision: "r9", lastHealthy: system("a", "r9") }]]);
  const run = ended(planOf("r9", "r0", "generation 3", "rollback"), "updated", system("a", "r9"));
  expect(hostRecords(run, before, 1)).toMatchObject([
    { host: "a", revision: undefined, previousRevision: "r9", owes: undefined },
  ]);
});

test("a run that goes on after a pause says nothing twice", async () => {
  const store = new MemoryStore();
  const remember = (plan: Plan, state: HostState, previous: string) =>
    rememberHosts(store, ended(plan, state, previous), 1);
  const record = async () => (await store.hosts()).get("a");
  await remember({ ...planOf("r0", "r1", "r1"), id: "r-1" }, "updated", system("a", "r0"));
  const paused = { ...planOf("r1", "r2", "r2"), id: "r-2" };
  await remember(paused, "updated", system("a", "r1"));
  const once = await record();
  expect(once).toMatchObject({ revision: "r2", previousRevision: "r1", previousHealthy: system("a", "r1") });
  await remember(paused, "updated", system("a", "r1"));
  expect(await record()).toEqual(once);

  // Another run left it out meanwhile.
  await store.putHost({ host: "a", outcome: "deferred", outcomeRun: "r-3" });
  await remember(paused, "reverted", system("a", "r1"));
  const back = await record();
  expect(back).toEqual({
    host: "a",
    outcome: "reverted",
    outcomeRun: "r-2",
    current: system("a", "r1"),
    lastHealthy: system("a", "r1"),
    revision: "r1",
  });
  await remember(paused, "reverted", system("a", "r1"));
  expect(await record()).toEqual(back);
});

test("what a host owes, it owes still when it could not be rolled back", async () => {
  const store = new MemoryStore();
  const owes = { run: "r-1", revision: "r2", since: 7 };
  await store.putHost({ host: "a", owes });
  await rememberHosts(store, ended(planOf("r1", "r0", "x", "rollback"), "deferred", system("a", "r1")), 9);
  expect((await store.hosts()).get("a")).toMatchObject({ outcome: "deferred", owes });
  await rememberHosts(store, ended(planOf("r1", "r3", "r3"), "deferred", system("a", "r1")), 9);
  expect((await store.hosts()).get("a")?.owes).toMatchObject({ revision: "r3", since: 7 });
});

test("a run that goes on after its end leaves alone what is not its business any more", () => {
  const plan = planOf("r1", "r2", "r2");
  const events = [
    run("running"),
    wave("wave.start", 1),
    host("a", "staging", { previous: system("a", "r1") }),
    host("a", "updated"),
  ];
  const said = (...more: EventBody[]) =>
    hostRecords(aRun(plan, ...events, ...more), new Map(), 1).map((change) => change.outcome);
  expect(said()).toEqual(["updated"]);
  expect(said(run("succeeded"))).toEqual([]);
  expect(said(run("succeeded"), run("running"))).toEqual([]);
  expect(said(run("succeeded"), run("running"), host("a", "reverting"), host("a", "reverted"))).toEqual([
    "reverted",
  ]);
});

test("found to run it when it was tried again, a host is remembered as updated; one that ran it all along as it was", () => {
  const plan = planOf("r1", "r2", "r2");
  const begun = [run("running"), wave("wave.start", 1)];
  const known = new Map([["a", { host: "a", revision: "r1", lastHealthy: system("a", "r1") }]]);
  const said = (...more: EventBody[]) => hostRecords(aRun(plan, ...begun, ...more), known, 1);
  const silent = { failure: { code: "unreachable", message: "", transient: false } };
  const lost = [
    host("a", "staging", { previous: system("a", "r1") }),
    host("a", "activating", { fence: 3 }),
    host("a", "failed", silent),
    host("a", "pending", {}, 2),
  ];
  expect(said(...lost, host("a", "skipped", { detail: { confirmed: true } }, 2))).toMatchObject([
    {
      outcome: "updated",
      current: system("a", "r2"),
      revision: "r2",
      lastHealthy: system("a", "r2"),
      previousHealthy: system("a", "r1"),
      unsettled: undefined,
    },
  ]);
  expect(said(...lost, host("a", "skipped", {}, 2))).toEqual([]);
  expect(said(host("a", "skipped"))).toEqual([]);
});

test("hosts that are left out owe an update from before the run begins, and not again by its end", () => {
  const plan = aPlan(inventory, {
    revision: "r2",
    known: new Map([["a", { reachable: false, current: null }]]),
    targets: new Map([["a", { toplevel: system("a", "r2"), size: 1 }]]),
  });
  expect(hostRecords(aRun(plan), new Map(), 1)).toMatchObject([{ outcome: "deferred", owes: { since: 1 } }]);
  expect(hostRecords(aRun(plan, run("running")), new Map(), 1)).toEqual([]);
});

test.each<[string, number, readonly EventBody[], readonly EventBody[]]>([
  ["the end", 1, [run("running"), host("a", "updated")], [run("succeeded")]],
  [
    "a stop",
    1,
    [run("running"), host("a", "updated"), run("paused", "gate")],
    [{ type: "summary" } as EventBody],
  ],
  ["a step on the way", 0, [run("running"), host("a", "updated")], [host("a", "reverting")]],
])("%s lets the fleet remember %i hosts", async (_, n, before, events) => {
  const state = aRun(planOf("r1", "r2", "r2"), ...before);
  expect(await remembered(new MemoryStore(), state, events, 1)).toHaveLength(n);
});
