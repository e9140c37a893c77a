/** A rollout that goes back: no host is sent back on the word of guards that is old by the time it gets there. */
import { describe, expect, test } from "vitest";
import { FleetError, toFailure } from "../../src/errors.ts";
import type { HostStateFile, Observation } from "../../src/host/protocol.ts";
import { attend } from "../../src/rollout/attend.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { GuardReading } from "../../src/rollout/effects.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import { giveBack } from "../../src/rollout/guarded.ts";
import { interpret } from "../../src/rollout/interpret.ts";
import { aHost, anInventory, aPlan, system } from "../support/fleet.ts";
import { aContext, anObservation, aRun, host, progress, run, T0 } from "../support/run.ts";

const inventory = anInventory(
  ["a", "b", "c"].map((n) => aHost(n, "bootstrap")),
  { progressDeadlineMs: 1e9 },
);
const plan = aPlan(inventory);
const [FROM, TO] = [system("a", "r1"), system("a", "r2")];
const updated: readonly EventBody[] = [
  run("running"),
  host("a", "staging", { previous: FROM }),
  host("a", "activating", { fence: 3 }),
  host("a", "updated"),
  run("rolling_back", "failures"),
];
const rolledBack = { code: "rolled-back", message: "", transient: false };
const sent = [...updated, host("a", "reverting", { from: "updated", failure: rolledBack })];
const lost = { ...toFailure(new FleetError("unreachable", "a does not answer")), transient: true };
const LATER = T0 + 600_000;

const reading = (healthy: readonly string[]): GuardReading => ({
  role: "bootstrap",
  site: null,
  required: 2,
  healthy,
  unhealthy: ["b", "c"].filter((n) => !healthy.includes(n)),
});
const guard = (healthy: readonly string[], state = aRun(plan, ...updated)) =>
  interpret(
    state,
    { effect: { kind: "guard", host: "a" }, ok: true, readings: [reading(healthy)], givenUp: [] },
    aContext(),
  );
const record = (phase: HostStateFile["phase"]): HostStateFile => ({
  schema: 1,
  rollout: plan.id,
  attempt: 1,
  fence: 3,
  from: FROM,
  to: TO,
  mode: "test",
  phase,
  rc: 0,
  reason: "operator",
  bootId: "boot-1",
  baselineFailed: [],
});
const look = (observation: Observation, now = LATER, events = sent) =>
  interpret(
    aRun(plan, ...events),
    { effect: { kind: "observe", host: "a" }, ok: true, observation },
    aContext({ now }),
  );

describe("rolling back", () => {
  test("asks the guards, then sends the host back at once", () => {
    expect(decide(aRun(plan, ...updated), aContext()).effects).toEqual([{ kind: "guard", host: "a" }]);
    expect(guard(["b", "c"])).toMatchObject({
      events: [{ data: { to: "reverting" } }],
      effects: [{ kind: "revert", host: "a" }],
    });
    expect(guard(["b"])).toMatchObject({ events: [{ data: { to: "updated" } }], effects: [] });
  });

  test("after lost contact it looks first, instead of asking again on an old word", () => {
    const state = aRun(plan, ...sent, host("a", "reverting", { from: "reverting", failure: lost }));
    expect(attend(state, progress(state, "a"), aContext({ now: T0 + 6_001 })).effects).toEqual([
      { kind: "observe", host: "a" },
    ]);
    const resumed = aRun(plan, ...sent);
    const context = aContext({ resumedSeq: resumed.lastSeq, resumedAt: LATER, now: LATER });
    expect(attend(resumed, progress(resumed, "a"), context).effects).toEqual([
      { kind: "observe", host: "a" },
    ]);
  });

  test("what never heard of it serves on and waits for its guards again", () => {
    const serving = anObservation(TO, { state: record("committed") });
    expect(look(serving)).toMatchObject({ events: [{ data: { to: "updated" } }], effects: [] });
    // The word may be on its way still.
    expect(look(serving, T0 + sent.length * 1000)).toMatchObject({ events: [{ data: { to: "reverting" } }] });
  });

  test("what has begun goes on, also after a restart in between", () => {
    const going = anObservation(TO, { state: record("reverting"), revertArmed: true });
    expect(look(going).effects).toEqual([]);
    const cutShort = anObservation(TO, { state: record("reverting"), bootId: "boot-2" });
    expect(look(cutShort).effects).toMatchObject([{ kind: "revert", host: "a" }]);
    expect(look(anObservation(FROM, { state: record("reverted") })).events).toMatchObject([
      { data: { to: "reverted" } },
    ]);
  });

  test("a host that turned ill goes back without asking anybody", () => {
    const ill = { code: "health-failed", message: "", transient: false };
    const state = aRun(
      plan,
      ...updated.slice(0, -1),
      host("a", "reverting", { from: "updated", failure: ill }),
    );
    expect(attend(state, progress(state, "a"), aContext({ now: T0 + 6_001 })).effects).toEqual([
      { kind: "revert", host: "a", reason: "health" },
    ]);
    expect(
      look(anObservation(TO, { state: record("committed") }), LATER, [
        ...updated.slice(0, -1),
        host("a", "reverting", { from: "updated", failure: ill }),
      ]).events,
    ).toMatchObject([{ data: { to: "reverting" } }]);
  });

  test("a slot that another run took meanwhile is given back", () => {
    const state = aRun(plan, ...sent);
    expect(giveBack(state, "a", aContext())).toMatchObject([{ data: { from: "reverting", to: "updated" } }]);
  });

  test("^C starts no other host", () => {
    const verdict = decide(aRun(plan, ...updated), aContext({ draining: true }));
    expect(verdict).toMatchObject({ events: [], effects: [], idle: true });
  });
});
