/** Hosts given up in flight that have power again: they go on where they were, and nobody else takes their slot. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/plan/model.ts";
import type { Policy } from "../../src/plan/policy.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { Effect, Sign } from "../../src/rollout/effects.ts";
import { type EventBody, HostState } from "../../src/rollout/events.ts";
import { interpret } from "../../src/rollout/interpret.ts";
import { perform } from "../../src/rollout/perform.ts";
import { evolve, type RolloutState } from "../../src/rollout/state.ts";
import { giveUpAfterMs, waitMs } from "../../src/rollout/timing.ts";
import { FakeFleet } from "../support/fake-driver.ts";
import { aHost, anInventory, aPlan, FAST, system } from "../support/fleet.ts";
import { deadlineOf, file } from "../support/one-host.ts";
import { aContext, anObservation, aRun, host, progress, run, T0, wave } from "../support/run.ts";

const count = (n: number) => ({ kind: "count", n }) as const;
/** Room for everybody but where a test says so: then a host that was given up is in nobody's way by itself. */
const roomy: Partial<Policy> = {
  onFailure: "continue",
  canary: { ...FAST.canary, count: count(0) },
  waves: [{ kind: "percent", pct: 100 }],
  maxParallel: count(9),
  maxUnavailable: { fleet: count(9), clusters: {} },
  perSite: { activating: 9, copying: 9 },
};
const gent = { site: "gent" };
const inventoryWith = (policy: Partial<Policy>) =>
  anInventory([aHost("a", "peer", gent), aHost("b", "peer", gent), aHost("c", "peer", { site: "lille" })], {
    ...roomy,
    ...policy,
  });
const oneSlot = aPlan(inventoryWith({ maxParallel: count(1) }));

const silent = { code: "unreachable", message: "silent", transient: false };
const atIt = { code: "host-busy", message: "answers, but is still at it", transient: true };
const givenUp: readonly EventBody[] = [
  run("running"),
  wave("wave.start", 1),
  host("a", "staging", { previous: system("a", "r1") }),
  host("a", "activating", { fence: 3 }),
  host("a", "unknown"),
  host("a", "failed", { failure: silent }),
];
const staged = (name: string): readonly EventBody[] => [
  host(name, "staging", { previous: system(name, "r1") }),
  host(name, "staged", { mode: "test" }),
];
const waiting = (plan: Plan, ...more: readonly EventBody[]) =>
  aRun(plan, ...givenUp, ...staged("b"), ...staged("c"), ...more);

const IN_FLIGHT: readonly Sign[] = [{ host: "a", atRest: false }];
const AT_REST: readonly Sign[] = [{ host: "a", atRest: true }];
const SILENT: readonly Sign[] = [];
const NOW = T0 + 60_000;
const ask = (state: RolloutState, name: string, signs: readonly Sign[], now = NOW) =>
  interpret(
    state,
    { effect: { kind: "guard", host: name }, ok: true, readings: [], givenUp: signs },
    aContext({ now }),
  );
const begins = (name: string) => [{ kind: "activate", host: name }];

describe("before somebody else begins", () => {
  test("a host in flight again has its slot: the other waits a little and says for whom", () => {
    const { events, effects } = ask(waiting(oneSlot), "b", IN_FLIGHT);
    expect(effects).toEqual([]);
    expect(events).toMatchObject([
      { host: "a", data: { from: "failed", to: "failed", failure: atIt } },
      { host: "b", msg: "waits (max-parallel): given up, still at it: a", data: { to: "staged" } },
    ]);
    expect(events.map(deadlineOf)).toEqual([NOW, NOW].map((at) => at + waitMs(oneSlot.policy)));
  });

  test.each([
    ["silent, as without power", SILENT],
    ["at rest", AT_REST],
  ])("%s, it holds nobody up", (_, signs) => {
    const { events, effects } = ask(waiting(oneSlot), "b", signs);
    expect(effects).toEqual(begins("b"));
    expect(events).toMatchObject([{ host: "b", data: { to: "activating" } }]);
  });

  test("where there is room beside it the other begins, and the journal knows of both", () => {
    const { events, effects } = ask(waiting(aPlan(inventoryWith({ maxParallel: count(2) }))), "b", IN_FLIGHT);
    expect(effects).toEqual(begins("b"));
    expect(events).toMatchObject([{ host: "a", data: { failure: atIt } }, { data: { to: "activating" } }]);
  });

  test("its site's activations are its own site's", () => {
    const state = waiting(aPlan(inventoryWith({ perSite: { activating: 1, copying: 9 } })));
    expect(ask(state, "b", IN_FLIGHT).events.at(-1)?.msg).toMatch(/^waits \(activations in gent\)/);
    expect(ask(state, "c", IN_FLIGHT).effects).toEqual(begins("c"));
  });

  test("a gateway waits for a host in flight behind it", () => {
    const inventory = anInventory(
      [aHost("a", "peer", { bastion: "gw" }), aHost("gw", "gateway"), aHost("gw-2", "gateway")],
      roomy,
    );
    const bastions = { gw: { name: "gw", address: "gw", port: 22, user: "root" } };
    const plan = aPlan({ ...inventory, bastions });
    const state = aRun(plan, ...givenUp, ...staged("gw"), ...staged("gw-2"));
    expect(ask(state, "gw", IN_FLIGHT).events.at(-1)?.msg).toMatch(/^waits \(hosts behind it/);
    expect(ask(state, "gw", SILENT).effects).toEqual(begins("gw"));
  });

  test("healthy, but in flight again, it stands by for nobody", () => {
    const readings = [{ role: "peer", site: null, required: 1, healthy: ["a"], unhealthy: ["c"] }];
    const guard = (signs: readonly Sign[]) =>
      interpret(
        waiting(aPlan(inventoryWith({}))),
        { effect: { kind: "guard", host: "b" }, ok: true, readings, givenUp: signs },
        aContext({ now: NOW }),
      );
    expect(guard(IN_FLIGHT).events.at(-1)?.msg).toBe("waits for other peer hosts that are in flight");
    expect(guard(AT_REST).effects).toEqual(begins("b"));
  });

  test("a host that is to go back with its rollout waits for it, too", () => {
    const updated = [host("b", "activating", { fence: 4 }), host("b", "updated"), run("rolling_back")];
    const state = waiting(oneSlot, ...updated);
    expect(ask(state, "b", IN_FLIGHT)).toMatchObject({
      effects: [],
      events: [{ host: "a" }, { host: "b", data: { from: "updated", to: "updated" } }],
    });
    expect(ask(state, "b", SILENT).effects).toMatchObject([{ kind: "revert", host: "b" }]);
  });

  test("also while it is tried again and the attempt before is not over", () => {
    for (const to of ["pending", "preflight", "deferred"] as const)
      expect(ask(waiting(oneSlot, host("a", to, { failure: silent }, 2)), "b", IN_FLIGHT).effects).toEqual(
        [],
      );
    const afresh = waiting(oneSlot, host("a", "preflight", {}, 2), host("a", "staging", {}, 2));
    expect(ask(afresh, "b", IN_FLIGHT).effects).toEqual(begins("b"));
  });
});

describe("seen in flight, then silent", () => {
  const seen = waiting(oneSlot, host("a", "failed", { failure: atIt }));
  const since = progress(seen, "a").inFlightAt ?? Number.NaN;
  const patience = giveUpAfterMs(oneSlot.policy);

  test("it may be restarting on its way back: its slot is kept for as long as that may take", () => {
    expect(ask(seen, "b", SILENT, since + patience)).toMatchObject({ effects: [], events: [{ host: "b" }] });
    expect(ask(seen, "b", SILENT, since + patience + 1).effects).toEqual(begins("b"));
    expect(ask(seen, "b", AT_REST, since + 1).effects).toEqual(begins("b"));
  });

  test("the journal is told again only when it was time to ask again", () => {
    const hosts = (now: number) => ask(seen, "b", IN_FLIGHT, now).events.map((e) => e.host);
    expect(hosts(since + waitMs(oneSlot.policy) - 1)).toEqual(["b"]);
    expect(hosts(since + waitMs(oneSlot.policy))).toEqual(["a", "b"]);
  });

  test("its own turn to be asked comes soon, not ever more rarely", () => {
    const looked = (events: readonly EventBody[], seenNow: Parameters<typeof anObservation>[1]) =>
      interpret(
        aRun(oneSlot, ...events),
        { effect: { kind: "observe", host: "a" }, ok: true, observation: anObservation("", seenNow) },
        aContext({ now: NOW }),
      ).events;
    const flying = {
      current: system("a", "r2"),
      profile: system("a", "r1"),
      revertArmed: true,
      state: file("activated", { rollout: oneSlot.id, from: system("a", "r1"), to: system("a", "r2") }),
    };
    const [event] = looked(givenUp, flying);
    expect(event).toMatchObject({ data: { from: "failed", to: "failed", failure: atIt } });
    expect(deadlineOf(event)).toBeLessThanOrEqual(NOW + waitMs(oneSlot.policy));
    const evidence: EventBody = { type: "host.log", level: "info", msg: "", host: "a", data: { lines: [] } };
    const due = { now: NOW + waitMs(oneSlot.policy) };
    const asked = aRun(oneSlot, ...givenUp, evidence, ...(event ? [event] : []));
    expect(decide(asked, aContext(due)).effects).toContainEqual({ kind: "observe", host: "a" });
  });

  test("whatever happens, it is remembered only of hosts that are not seen at rest since", () => {
    const failure = fc.constantFrom(undefined, silent, atIt);
    const event = fc
      .record({ to: fc.constantFrom(...HostState.options), failure, attempt: fc.integer({ min: 1, max: 3 }) })
      .map((e) => host("a", e.to, e.failure ? { failure: e.failure } : {}, e.attempt));
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        let state = waiting(oneSlot);
        for (const [i, body] of events.entries()) {
          const head = { ts: new Date(NOW + i).toISOString(), seq: state.lastSeq + 1, rollout: oneSlot.id };
          state = evolve(state, { ...body, ...head } as Parameters<typeof evolve>[1]);
          const { unsettled, inFlightAt } = progress(state, "a");
          const told = body.type === "host.state" && body.data.failure === atIt;
          expect(inFlightAt === null || unsettled).toBe(true);
          if (told && unsettled) expect(inFlightAt).toBe(NOW + i);
        }
      }),
    );
  });
});

describe("the guard asks those given up", () => {
  const inventory = inventoryWith({});
  const fleet = new FakeFleet();
  for (const { name } of inventory.hosts) fleet.add(name, system(name, "r1"));
  const performer = {
    driver: fleet,
    hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
    checks: () => [],
  };
  const plan = aPlan(inventory);
  const guard = async (change: object) => {
    Object.assign(fleet.hosts.get("a") ?? {}, { reachable: true, phase: "none" }, change);
    fleet.calls.length = 0;
    const effect: Effect = { kind: "guard", host: "b" };
    const outcome = await perform(performer, waiting(plan), effect, 7, new AbortController().signal);
    expect(fleet.calls).toEqual(["observe a"]);
    return outcome;
  };

  test.each<[string, object, readonly Sign[]]>([
    ["without power", { reachable: false }, SILENT],
    ["in flight", { phase: "activated" }, IN_FLIGHT],
    ["gone back", { phase: "reverted" }, AT_REST],
  ])("%s", async (_, change, signs) => {
    expect(await guard(change)).toMatchObject({ ok: true, readings: [], givenUp: signs });
  });
});
