/** The recovery table: what a resumed controller finds on a host, row by row, and what it then believes and does. */
import { describe, expect, test } from "vitest";
import { FleetError, toFailure } from "../../src/errors.ts";
import type { HostStateFile, Observation } from "../../src/host/protocol.ts";
import { attend } from "../../src/rollout/attend.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { HostState } from "../../src/rollout/events.ts";
import { interpret } from "../../src/rollout/interpret.ts";
import { reconcile } from "../../src/rollout/reconcile.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { lateWordMs, lostAfterMs } from "../../src/rollout/timing.ts";
import { aHost, anInventory, aPlan, system } from "../support/fleet.ts";
import { aContext, anObservation, aRun, host, progress, run, T0, wave } from "../support/run.ts";

const MINUTE = 60_000;
const inventory = anInventory([aHost("a"), aHost("b")], {
  confirmTimeoutMs: MINUTE,
  healthyDeadlineMs: MINUTE,
  progressDeadlineMs: 1e9,
  offline: { policy: "defer", catchUpMs: 1e9, unreachableDeadlineMs: MINUTE },
});
const plan = aPlan(inventory);
const FROM = system("a", "r1");
const TO = system("a", "r2");

/** A run in which `a` was last seen in `state`. */
const at = (state: HostState): RolloutState =>
  aRun(
    plan,
    run("running"),
    wave("wave.start", 1),
    host("a", "staging", { previous: FROM }),
    host("a", "staged"),
    host("a", "activating", { fence: 3 }),
    ...(state === "activating" ? [] : [host("a", state)]),
  );

const file = (phase: HostStateFile["phase"], more: Partial<HostStateFile> = {}): HostStateFile => ({
  schema: 1,
  rollout: plan.id,
  attempt: 1,
  fence: 3,
  from: FROM,
  to: TO,
  mode: "test",
  phase,
  rc: phase === "activating" ? null : 0,
  reason: null,
  bootId: "boot-1",
  baselineFailed: [],
  ...more,
});

const LATER = T0 + 3_600_000;
const found = (state: RolloutState, seen: Observation, now = LATER) =>
  reconcile({ state, host: progress(state, "a"), to: TO, fence: 7, now }, seen);
const became = (state: RolloutState, seen: Observation, now = LATER) => {
  const event = found(state, seen, now);
  return event?.type === "host.state" ? event.data.to : null;
};

describe("what is found on the host", () => {
  test("a fence higher than ours: we are stale, the host is let go and the run pauses", () => {
    const seen = anObservation(TO, { state: file("activated", { fence: 9 }) });
    const state = at("confirming");
    expect(found(state, seen)).toMatchObject({ data: { to: "unknown", failure: { code: "host-fenced" } } });
    const { events } = interpret(
      state,
      { effect: { kind: "observe", host: "a" }, ok: true, observation: seen },
      aContext(),
    );
    expect(events.at(-1)).toMatchObject({ type: "rollout.state", data: { to: "paused", reason: "lease" } });
  });

  test("the activation unit runs: wait for it, never start a second", () => {
    const seen = anObservation(FROM, { state: file("activating"), activateActive: true, revertArmed: true });
    expect(found(at("activating"), seen)).toBeNull();
    const { effects } = decide(at("activating"), aContext({ now: LATER }));
    expect(effects).toEqual([{ kind: "observe", host: "a" }]);
  });

  test.each(["activating", "confirming", "committing", "unknown"] as const)(
    "committed while we were away (journal: %s): updated",
    (before) => {
      expect(became(at(before), anObservation(TO, { state: file("committed") }))).toBe("updated");
    },
  );

  test("committed, then changed by somebody else: drifted", () => {
    const seen = anObservation(system("a", "r9"), { state: file("committed") });
    expect(became(at("confirming"), seen)).toBe("drifted");
  });

  test.each([0, 4])("runs the new system, timer armed, unit exit %i: its health is proven now", (rc) => {
    const seen = anObservation(TO, { profile: FROM, state: file("activated", { rc }), revertArmed: true });
    expect(became(at("activating"), seen)).toBe("confirming");
    expect(became(at("unknown"), seen)).toBe("confirming");
  });

  test.each([1, 2, 127])("activated with exit %i: it goes back", (rc) => {
    const seen = anObservation(TO, { profile: FROM, state: file("activated", { rc }), revertArmed: true });
    expect(found(at("activating"), seen)).toMatchObject({
      data: { to: "reverting", failure: { code: "activation-failed" } },
    });
  });

  test("newly failed units, the supervisor has not concluded: wait, it goes back by itself", () => {
    const seen = anObservation(TO, {
      profile: FROM,
      state: file("activating", { rc: 4 }),
      revertArmed: true,
    });
    expect(found(at("activating"), seen)).toBeNull();
  });

  test.each([
    ["timeout", "connection-lost"],
    ["activation", "activation-failed"],
    ["health", "health-failed"],
    ["boot", "activation-failed"],
  ])("the host reverted itself (%s): the journal catches up", (reason, code) => {
    const seen = anObservation(FROM, { state: file("reverted", { reason }) });
    expect(found(at("unknown"), seen)).toMatchObject({ data: { to: "reverted", failure: { code } } });
  });

  test("it is reverting: attach", () => {
    const seen = anObservation(TO, { state: file("reverting", { reason: "timeout" }), revertArmed: true });
    expect(became(at("confirming"), seen)).toBe("reverting");
  });

  test("the way back failed: a case for a person", () => {
    const seen = anObservation(TO, { state: file("revert-failed") });
    expect(found(at("unknown"), seen)).toMatchObject({
      data: { to: "failed", failure: { hint: expect.stringContaining("macula-fleet ssh a") } },
    });
  });

  test("old system, no trace of the attempt, closure there: go on where it stood, in the same attempt", () => {
    const event = found(at("activating"), anObservation(FROM));
    expect(event).toMatchObject({ attempt: 1, data: { to: "staged" } });
  });

  test("but not at once: a word sent by a controller that died may still arrive", () => {
    const state = at("activating");
    const since = progress(state, "a").since;
    expect(found(state, anObservation(FROM), since + 1)).toBeNull();
    expect(became(state, anObservation(FROM), since + lateWordMs(plan.policy))).toBe("staged");
  });

  test("old system, closure gone: copied again", () => {
    expect(became(at("activating"), anObservation(FROM, { closureValid: false }))).toBe("staging");
  });

  test("a record of an earlier attempt says nothing about this one", () => {
    const seen = anObservation(FROM, { state: file("reverted", { attempt: 0 }) });
    expect(became(at("activating"), seen)).toBe("staged");
  });

  test.each(["activating", "activated"] as const)(
    "another boot, old system, phase %s: the loader or a power cut brought it back",
    (phase) => {
      const seen = anObservation(FROM, { bootId: "boot-2", state: file(phase) });
      expect(found(at("confirming"), seen)).toMatchObject({
        data: { to: "reverted", failure: { message: expect.stringContaining("before a restart") } },
      });
    },
  );

  test("a reboot before the activation is not taken for one during it", () => {
    const state = aRun(
      plan,
      run("running"),
      wave("wave.start", 1),
      host("a", "staging", { previous: FROM, detail: { bootId: "boot-0" } }),
      host("a", "activating", { fence: 3 }),
    );
    const seen = anObservation(FROM, { state: file("activating"), activateActive: true, revertArmed: true });
    expect(found(state, seen)).toBeNull();
  });

  test("restarting into the new system on purpose", () => {
    const seen = anObservation(FROM, { state: file("activating", { mode: "boot" }) });
    expect(became(at("activating"), seen)).toBe("rebooting");
    const up = anObservation(TO, {
      bootId: "boot-2",
      profile: FROM,
      state: file("activated", { mode: "boot", bootId: "boot-2" }),
      revertArmed: true,
    });
    expect(became(at("rebooting"), up)).toBe("confirming");
  });

  test("neither system: drifted, and left alone", () => {
    expect(became(at("activating"), anObservation(system("a", "r9")))).toBe("drifted");
  });
});

describe("nothing can be found", () => {
  const gone = toFailure(new FleetError("unreachable", "a does not answer"));

  test.each(["activating", "confirming", "committing"] as const)(
    "out of reach since %s: unknown once its confirm timeout has passed, and it counts as unavailable",
    (state) => {
      const silent = aRun(
        plan,
        run("running"),
        wave("wave.start", 1),
        host("a", "staging", { previous: FROM }),
        host("a", "activating", { fence: 3 }),
        ...(state === "activating" ? [] : [host("a", state)]),
        host("a", state, { from: state, failure: { ...gone, transient: true } }),
      );
      const since = progress(silent, "a").troubleSince ?? 0;
      const soon = attend(silent, progress(silent, "a"), aContext({ now: since + 1 }));
      expect(soon.events).toEqual([]);
      const later = attend(
        silent,
        progress(silent, "a"),
        aContext({ now: since + lostAfterMs(plan.policy) + 1 }),
      );
      expect(later.events).toMatchObject([{ data: { to: "unknown" } }]);
    },
  );

  test.each([
    ["defer", "deferred"],
    ["fail", "failed"],
    ["skip", "skipped"],
  ] as const)("out of reach before anything changed, policy %s: %s", (policy, end) => {
    const p = { ...plan, policy: { ...plan.policy, offline: { ...plan.policy.offline, policy } } };
    const state = aRun(
      p,
      run("running"),
      wave("wave.start", 1),
      host("a", "preflight"),
      host("a", "preflight", { from: "preflight", failure: { ...gone, transient: true } }),
    );
    const outcome = { effect: { kind: "observe", host: "a" } as const, ok: false as const, failure: gone };
    const tryAgain = interpret(state, outcome, aContext({ now: T0 + 5_001 }));
    expect(tryAgain.events).toMatchObject([{ data: { to: "preflight" } }]);
    const tooLong = interpret(state, outcome, aContext({ now: LATER }));
    expect(tooLong.events).toMatchObject([{ data: { to: end } }]);
  });

  test.each(["unknown", "reverting"] as const)(
    "silent for good (%s): failed, a person must look",
    (state) => {
      const silent = aRun(
        plan,
        run("running"),
        wave("wave.start", 1),
        host("a", "staging", { previous: FROM }),
        host("a", "activating", { fence: 3 }),
        host("a", state, { failure: { ...gone, transient: false } }),
        host("a", state, { from: state, failure: { ...gone, transient: true } }),
      );
      const { events } = attend(silent, progress(silent, "a"), aContext({ now: LATER }));
      expect(events).toMatchObject([{ data: { to: "failed", failure: { code: "unreachable" } } }]);
    },
  );
});

describe("a resumed controller asks before it acts", () => {
  test.each(["activating", "rebooting", "confirming", "committing", "unknown"] as const)("%s", (state) => {
    const before = at(state);
    const context = aContext({ resumedSeq: before.lastSeq, resumedAt: LATER, now: LATER });
    expect(decide(before, context).effects).toEqual([{ kind: "observe", host: "a" }]);
  });

  test("also when its own clock is behind the one that wrote the journal", () => {
    const before = at("confirming");
    const context = aContext({ resumedSeq: before.lastSeq, resumedAt: T0 - 300_000, now: T0 - 300_000 });
    expect(decide(before, context).effects).toEqual([{ kind: "observe", host: "a" }]);
  });
});
