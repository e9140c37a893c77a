/** Hosts that were given up in flight: unavailable until they are seen at rest, whoever gave them up. */
import { describe, expect, test } from "vitest";
import type { HostStateFile, Observation } from "../../src/host/protocol.ts";
import { isAtRest } from "../../src/rollout/at-rest.ts";
import { blockedBy, type Elsewhere, measure, NOWHERE_ELSE } from "../../src/rollout/budgets.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import { interpret } from "../../src/rollout/interpret.ts";
import { Leftovers } from "../../src/rollout/leftovers.ts";
import { Neighbours } from "../../src/rollout/neighbours.ts";
import { remembered } from "../../src/rollout/remember.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { lateWordMs } from "../../src/rollout/timing.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { FakeFleet } from "../support/fake-driver.ts";
import { aHost, anInventory, aPlan, system } from "../support/fleet.ts";
import { file as fileOf } from "../support/one-host.ts";
import { aContext, anObservation, aRun, host, progress, run, T0, wave } from "../support/run.ts";

const inventory = anInventory([aHost("a"), aHost("b"), aHost("c")], {
  maxUnavailable: { fleet: { kind: "count", n: 1 }, clusters: {} },
  maxParallel: { kind: "count", n: 2 },
  onFailure: "continue",
});
const plan = aPlan(inventory);
const [FROM, TO] = [system("a", "r1"), system("a", "r2")];
const silent = { code: "unreachable", message: "silent", transient: false };
const target = (state: RolloutState, name: string) => {
  const found = state.targets.get(name);
  if (!found) throw new Error(`no ${name} in the plan`);
  return found;
};
const block = (state: RolloutState, name: string, elsewhere: Elsewhere = NOWHERE_ELSE) =>
  blockedBy(measure(state, new Set(), elsewhere), target(state, name))?.limit ?? null;

/** The run ends so. */
async function leave(store: MemoryStore, state: RolloutState): Promise<void> {
  for (const change of await remembered(store, state, [run("aborted")], T0)) await store.putHost(change);
}

const givenUp: readonly EventBody[] = [
  run("running"),
  wave("wave.start", 1),
  host("a", "staging", { previous: FROM }),
  host("a", "activating", { fence: 3 }),
  host("a", "failed", { failure: silent }),
];
const file = (phase: HostStateFile["phase"], more: Partial<HostStateFile> = {}): HostStateFile =>
  fileOf(phase, { rollout: plan.id, from: FROM, to: TO, ...more });

describe("a host given up in flight", () => {
  test("counts, also while it is tried again, until it is seen at rest", () => {
    expect(block(aRun(plan, ...givenUp), "b")).toBe("max-unavailable");
    const again = [...givenUp, host("a", "pending", {}, 2), host("a", "preflight", {}, 2)];
    expect(block(aRun(plan, ...again), "b")).toBe("max-unavailable");
    const deferred = host("a", "deferred", { failure: silent }, 2);
    expect(block(aRun(plan, ...again, deferred), "b")).toBe("max-unavailable");
    expect(block(aRun(plan, ...again, host("a", "staging", {}, 2)), "b")).toBeNull();
  });

  test("does not count when nothing had been changed on it", () => {
    const early = [run("running"), wave("wave.start", 1), host("a", "failed", { failure: silent })];
    expect(block(aRun(plan, ...early), "b")).toBeNull();
  });

  test("is not staged for another attempt before the one before is over", () => {
    const state = aRun(plan, ...givenUp, host("a", "pending", {}, 2), host("a", "preflight", {}, 2));
    const look = (seen: Observation) =>
      interpret(state, { effect: { kind: "observe", host: "a" }, ok: true, observation: seen }, aContext())
        .events;
    const armed = anObservation(TO, { profile: FROM, state: file("activated"), revertArmed: true });
    expect(look(armed)).toMatchObject([
      { data: { to: "preflight", failure: { code: "host-busy", transient: true } } },
    ]);
    expect(look(anObservation(FROM, { state: file("reverted") }))).toMatchObject([
      { data: { to: "staging" } },
    ]);
  });
});

describe("a host given up that answers after all", () => {
  const log: EventBody = { type: "host.log", level: "info", msg: "", host: "a", data: { lines: [] } };
  const known = [...givenUp, log];
  const state = aRun(plan, ...known);
  const look = (seen: Observation) =>
    interpret(state, { effect: { kind: "observe", host: "a" }, ok: true, observation: seen }, aContext())
      .events;

  test("is asked now and then while the run goes on, with growing pauses", () => {
    expect(decide(state, aContext()).effects).toContainEqual({ kind: "observe", host: "a" });
    const asked = { effect: { kind: "observe", host: "a" } as const, ok: false as const };
    const [event] = interpret(
      state,
      { ...asked, failure: { ...silent, code: "unreachable", transient: true } },
      aContext(),
    ).events;
    expect(event).toMatchObject({ data: { from: "failed", to: "failed", deadline: expect.any(String) } });
    const paused = aRun(plan, ...known, run("paused", "failures"));
    expect(decide(paused, aContext()).effects).toEqual([]);
  });

  test.each<[string, string, Observation]>([
    ["went back", "reverted", anObservation(FROM, { state: file("reverted", { reason: "timeout" }) })],
    [
      "lost its power and is back",
      "reverted",
      anObservation(FROM, { bootId: "boot-2", state: file("activated") }),
    ],
    ["was never reached", "reverted", anObservation(FROM)],
    ["had been confirmed", "updated", anObservation(TO, { state: file("committed") })],
    ["could not go back", "failed", anObservation(TO, { state: file("revert-failed") })],
    [
      "is still at it",
      "failed",
      anObservation(TO, { profile: FROM, state: file("activated"), revertArmed: true }),
    ],
  ])("%s: %s", (_, to, seen) => expect(look(seen)).toMatchObject([{ data: { to } }]));

  test("that was never reached keeps why it had been given up", () => {
    expect(look(anObservation(FROM))).toMatchObject([{ data: { to: "reverted", failure: silent } }]);
    const gone = anObservation(FROM, { closureValid: false });
    expect(look(gone)).toMatchObject([{ data: { to: "reverted", failure: silent } }]);
  });
});

describe("given up, and tried again in vain", () => {
  const pending = host("a", "pending", {}, 2);
  const log: EventBody = { type: "host.log", level: "info", msg: "", host: "a", data: { lines: [] } };
  const state = aRun(plan, ...givenUp, pending, host("a", "failed", { failure: silent }, 2), log);
  const look = (seen: Observation, at = state) =>
    interpret(at, { effect: { kind: "observe", host: "a" }, ok: true, observation: seen }, aContext()).events;
  const having = (seen: Observation) => aRun(plan, ...givenUp, pending, ...look(seen));

  test("it is asked now and then, as before, and takes up its room", () => {
    expect(decide(state, aContext()).effects).toContainEqual({ kind: "observe", host: "a" });
    expect(block(state, "b")).toBe("max-unavailable");
  });

  test.each<[string, string, Observation]>([
    ["went back", "reverted", anObservation(FROM, { state: file("reverted", { reason: "timeout" }) })],
    ["was never reached", "reverted", anObservation(FROM)],
    ["had been confirmed", "skipped", anObservation(TO, { state: file("committed") })],
    ["was changed by somebody else", "drifted", anObservation("/nix/store/x", { state: file("committed") })],
    ["confirmed, then set back for the next boot", "drifted", anObservation(TO, { profile: FROM })],
    ["was brought there by somebody else", "skipped", anObservation(TO)],
  ])("%s: %s, and its room is free again", (_, to, seen) => {
    const stale = { code: "plan-stale", transient: false };
    // Why it had been given up goes with it.
    const why = { reverted: { failure: silent }, drifted: { failure: stale } }[to] ?? {};
    expect(look(seen)).toMatchObject([{ data: { to, ...why } }]);
    expect(block(having(seen), "b")).toBeNull();
  });

  test("still at it: asked again soon", () => {
    const seen = anObservation(TO, { profile: FROM, state: file("activated"), revertArmed: true });
    expect(look(seen)).toMatchObject([{ data: { to: "failed", failure: { code: "host-busy" } } }]);
    expect(block(having(seen), "b")).toBe("max-unavailable");
  });

  test("an answer that comes when it waits to be tried again says nothing", () => {
    for (const to of ["pending", "staged", "deferred", "skipped"] as const)
      expect(look(anObservation(TO), aRun(plan, ...givenUp, host("a", to, {}, 2)))).toEqual([]);
  });
});

describe("at rest", () => {
  const cut = { bootId: "boot-2" };
  test.each<[string, boolean, Observation]>([
    ["no record", true, anObservation(FROM)],
    ["committed", true, anObservation(TO, { state: file("committed") })],
    ["reverted", true, anObservation(FROM, { state: file("reverted") })],
    ["an activation runs", false, anObservation(FROM, { state: file("activating"), activateActive: true })],
    [
      "not confirmed, the timer is armed",
      false,
      anObservation(TO, { state: file("activated"), revertArmed: true }),
    ],
    ["another run is active", false, anObservation(FROM, { otherRuns: ["macula-fleet-r-9-revert.timer"] })],
    ["about to restart", false, anObservation(FROM, { state: file("activating", { mode: "boot" }) })],
    [
      "restarted, it would be another boot",
      true,
      anObservation(TO, { state: file("activated", { mode: "boot" }) }),
    ],
    [
      "activated without a restart, nothing runs any more",
      true,
      anObservation(FROM, { state: file("activating") }),
    ],
    ["could not go back", true, anObservation(TO, { state: file("revert-failed") })],
    ["restarted with the new system for good", true, anObservation(TO, { ...cut, state: file("activated") })],
    [
      "judged in that boot",
      true,
      anObservation(TO, { profile: FROM, state: file("activated", { mode: "boot" }) }),
    ],
    [
      "up on the new system, not judged yet",
      false,
      anObservation(TO, { ...cut, profile: FROM, state: file("activating", { mode: "boot" }) }),
    ],
    [
      "the power was cut while it was activated",
      true,
      anObservation(FROM, { ...cut, state: file("activated") }),
    ],
    ["the power was cut on its way back", true, anObservation(FROM, { ...cut, state: file("reverting") })],
    [
      "the way back after a commit was cut short",
      true,
      anObservation(TO, { ...cut, state: file("reverting") }),
    ],
  ])("%s: %s", (_, rest, seen) => expect(isAtRest(seen)).toBe(rest));
});

const performer = (fleet: FakeFleet) => ({
  driver: fleet,
  hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
  checks: () => [],
});
const seenOnce = (leftovers: Leftovers) =>
  new Promise<void>((resolve) => leftovers.look(T0, 0, new AbortController().signal, resolve));

describe("left behind by a run that ended", () => {
  const rest = aPlan(inventory, { id: "r-2", hosts: inventory.hosts.filter((h) => h.name !== "a") });
  const other = aRun(rest, run("running"), wave("wave.start", 1));

  async function ended() {
    const store = new MemoryStore();
    const row = { kind: "rollout", revision: "r2", operator: "test", createdAt: 0, hosts: 1 } as const;
    await store.create({ id: plan.id, state: "planned", ...row });
    await store.append(plan.id, 0, [{ type: "plan", level: "info", msg: "", data: { plan } }, ...givenUp], {
      now: T0,
    });
    const fleet = new FakeFleet();
    Object.assign(fleet.add("a", TO), { phase: "activated", rollout: plan.id, from: FROM });
    return { store, fleet, neighbours: new Neighbours(store, "r-2", performer(fleet)) };
  }
  const end = (store: MemoryStore) =>
    store.append(plan.id, 1 + givenUp.length, [run("aborted")], { now: T0 + 1 });

  test("counts for another run before and after the end, until it is at rest and well", async () => {
    const { store, fleet, neighbours } = await ended();
    await neighbours.refresh();
    expect(block(other, "b", neighbours.elsewhere)).toBe("max-unavailable");
    await leave(store, aRun(plan, ...givenUp));
    await end(store);
    await neighbours.refresh();
    expect(block(other, "b", neighbours.elsewhere)).toBe("max-unavailable");

    const fresh = new Leftovers(store, performer(fleet));
    await fresh.refresh();
    Object.assign(fleet.hosts.get("a") ?? {}, { phase: "reverted", current: FROM });
    await seenOnce(fresh);
    expect(fresh.places).toEqual([]);
    expect((await store.hosts()).get("a")?.unsettled).toBeUndefined();
  });

  test("stays unavailable while it is silent, in flight or ill", async () => {
    const { store, fleet } = await ended();
    await leave(store, aRun(plan, ...givenUp));
    const a = fleet.hosts.get("a");
    const looked = async (change: object) => {
      Object.assign(
        a ?? {},
        { reachable: true, phase: "reverted", current: FROM, healthy: () => true },
        change,
      );
      const leftovers = new Leftovers(store, performer(fleet));
      await leftovers.refresh();
      leftovers.look(T0, 0, new AbortController().signal, () => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      return (await store.hosts()).get("a")?.unsettled !== undefined;
    };
    expect(await looked({ reachable: false })).toBe(true);
    expect(await looked({ phase: "activated", current: TO })).toBe(true);
    expect(await looked({ healthy: () => false })).toBe(true);
    expect(await looked({})).toBe(false);
  });

  test("is looked at only when no word of that run can arrive there any more", async () => {
    const { store, fleet } = await ended();
    await leave(store, aRun(plan, ...givenUp));
    Object.assign(fleet.hosts.get("a") ?? {}, { phase: "reverted", current: FROM });
    const leftovers = new Leftovers(store, performer(fleet));
    await leftovers.refresh();
    const look = async (now: number) => {
      leftovers.look(now, 5_000, new AbortController().signal, () => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      return leftovers.places.length;
    };
    expect([await look(T0), await look(T0 + 4_999), await look(T0 + 5_000)]).toEqual([1, 1, 0]);

    const ours = aPlan(inventory, { id: "r-2" });
    const begins = (now: number) =>
      decide(
        aRun(
          ours,
          run("running"),
          wave("wave.start", ours.waves.find((w) => w.hosts.includes("a"))?.index ?? 0),
        ),
        aContext({ now, elsewhere: new Map([["a", target(aRun(ours), "a")]]) }),
      );
    const late = T0 + lateWordMs(ours.policy);
    const looked = (now: number) => begins(now).events.some((e) => "host" in e && e.host === "a");
    expect([looked(late - 1), looked(late)]).toEqual([false, true]);
    expect(begins(late - 1).wakeAt).toBe(late);
  });

  test("is missed by nobody once it was taken out of the fleet", async () => {
    const { store, fleet } = await ended();
    await leave(store, aRun(plan, ...givenUp));
    const { driver, hosts, checks } = performer(fleet);
    const retired = new Map(
      [...hosts].map(([n, h]) => [n, n === "a" ? { ...h, state: "retired" as const } : h]),
    );
    const leftovers = new Leftovers(store, { driver, hosts: retired, checks });
    await leftovers.refresh();
    expect(leftovers.places).toEqual([]);
  });

  describe("superseded in flight, behind a gateway", () => {
    const behind = { ...plan, hosts: plan.hosts.map((h) => (h.name === "a" ? { ...h, via: "c" } : h)) };
    const left = async (...more: readonly EventBody[]) => {
      const { store, fleet } = await ended();
      await leave(store, aRun(behind, ...givenUp.slice(0, -1), ...more));
      const leftovers = new Leftovers(store, performer(fleet));
      await leftovers.refresh();
      return { leftovers, a: fleet.hosts.get("a") ?? {} };
    };
    const elsewhere = ({ places }: Leftovers): Elsewhere => new Map(places.map((p) => [p.name, p]));
    const wide = aRun(
      { ...rest, limits: { ...rest.limits, maxUnavailable: 9 } },
      run("running"),
      wave("wave.start", 1),
    );
    /** A second look, after the first one has come to its end. */
    const looked = async (leftovers: Leftovers) => {
      leftovers.look(T0, 0, new AbortController().signal, () => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    };

    test("the gateway waits while it is at work there", async () => {
      const { leftovers } = await left();
      expect(block(wide, "c", elsewhere(leftovers))).toBe("hosts behind it are in flight");
      await looked(leftovers);
      expect(block(wide, "c", elsewhere(leftovers))).toBe("hosts behind it are in flight");
    });

    test("not for one that does not answer, or has been given up", async () => {
      const { leftovers, a } = await left();
      Object.assign(a, { reachable: false });
      await looked(leftovers);
      expect(leftovers.places).toHaveLength(1);
      expect(block(wide, "c", elsewhere(leftovers))).toBeNull();
      const lost = await left(host("a", "failed", { failure: silent }));
      expect(block(wide, "c", elsewhere(lost.leftovers))).toBeNull();
    });
  });

  test("a run that has met it at rest goes by its own word", () => {
    const elsewhere: Elsewhere = new Map([
      ["a", { name: "a", role: "peer", site: "gent", cluster: null, via: null }],
    ]);
    const begun = [run("running"), wave("wave.start", 1)];
    expect(block(aRun(plan, ...begun), "b", elsewhere)).toBe("max-unavailable");
    const met = aRun(plan, ...begun, host("a", "staging", { previous: FROM }));
    expect(block(met, "b", elsewhere)).toBeNull();
  });
});

describe("a pause for want of progress", () => {
  test("says which limit kept hosts waiting", () => {
    const state = aRun(plan, ...givenUp, host("b", "staged"), host("c", "staged"), wave("wave.start", 2));
    const waiting = { ...state, wave: progress(state, "b").wave };
    const { events } = decide(waiting, aContext({ now: T0 + 3_600_000 }));
    expect(events).toMatchObject([{ data: { to: "paused", reason: "deadline" } }]);
    expect(events[0]?.msg).toMatch(/[bc] waits: max-unavailable/);
  });
});
