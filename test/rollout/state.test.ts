/** What a run is after each kind of event: the fold that resume, views and decisions all stand on. */
import { describe, expect, test } from "vitest";
import type { EventBody, FleetEvent, HostState } from "../../src/rollout/events.ts";
import { HostState as HostStates, RunState, TERMINAL_STATES } from "../../src/rollout/events.ts";
import { evolve, isSilent, type RolloutState, replay } from "../../src/rollout/state.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { at, iso, MINUTE, PLAN } from "../support/one-host.ts";
import { aRun, host, progress, run, T0, wave } from "../support/run.ts";

const add = (state: RolloutState, body: EventBody, ts = T0 + 60 * MINUTE): RolloutState =>
  evolve(state, { ...body, ts: iso(ts), seq: state.lastSeq + 1, rollout: PLAN.id } as FleetEvent);
/** What is known of `a` after one more event, an hour later. */
const next = (state: RolloutState, body: EventBody) => progress(add(state, body), "a");
const LATER = T0 + 60 * MINUTE;
const failure = (code: string, transient = true) => ({ code, message: "why", transient });
const same = (state: HostState, data: Parameters<typeof host>[2] = {}) =>
  host("a", state, { from: state, ...data });

describe("a run", () => {
  test("begins with its plan, and with nothing else", () => {
    expect(() =>
      evolve(null, { ...run("running"), ts: iso(T0), seq: 1, rollout: "r-1" } as FleetEvent),
    ).toThrow(/not with rollout\.state/);
    expect(replay([])).toBeNull();
  });

  test("knows every host of its plan, wave by wave, and those left out of it", () => {
    const held = { known: new Map([["c", { reachable: true, current: null, held: "held" }]]) };
    const plan = aPlan(
      anInventory([aHost("a", "peer", { site: null }), aHost("b", "gateway"), aHost("c")]),
      held,
    );
    const state = aRun(plan);
    expect(state).toMatchObject({
      status: "planned",
      wave: 0,
      wavePhase: "done",
      startedAt: T0,
      statusAt: T0,
      progressAt: T0,
    });
    expect(state).toMatchObject({
      endedAt: null,
      reason: null,
      detail: null,
      soakUntil: null,
      promotedTo: 0,
    });
    expect([...state.hosts.values()].map((h) => [h.name, h.state, h.wave, h.role, h.site])).toEqual([
      ["a", "pending", 1, "peer", null],
      ["b", "pending", 2, "gateway", "gent"],
      ["c", "deferred", 0, null, null],
    ]);
    expect(progress(state, "a")).toMatchObject({
      attempt: 1,
      since: T0,
      touchedAt: T0,
      touchedSeq: 1,
      seenSeq: 1,
      contactAt: null,
      mode: "test",
      bytes: 0,
      tries: 0,
      baselineFailed: [],
      committed: false,
    });
  });

  test.each(RunState.options)("%s: since when, why, and whether it is over", (to) => {
    const before = aRun(PLAN, run("paused", "operator"));
    const state = add(before, {
      ...run(to, "quorum"),
      data: { from: "paused", to, reason: "quorum", detail: iso(LATER) },
    } as EventBody);
    expect(state).toMatchObject({ status: to, reason: "quorum", detail: iso(LATER), statusAt: LATER });
    expect(state.endedAt).toBe(TERMINAL_STATES.has(to) ? LATER : null);
    // Time that it did not run is no lack of progress; only a bake has an end that is known.
    expect(state.progressAt).toBe(to === "running" ? LATER : before.progressAt);
    expect(state.soakUntil).toBe(to === "baking" ? LATER : null);
    expect(add(state, run(to))).toMatchObject({ reason: null, detail: null });
  });

  test("its waves: updating, soaking, at the gate, done", () => {
    const started = add(aRun(PLAN), wave("wave.start", 1));
    expect(started).toMatchObject({ wave: 1, wavePhase: "updating", progressAt: LATER });
    const soaking = add(started, wave("wave.soak", 1));
    expect(soaking).toMatchObject({ wavePhase: "soaking", soakUntil: T0 + 10 * MINUTE });
    expect(add(soaking, wave("wave.gate", 1))).toMatchObject({
      wavePhase: "gate",
      soakUntil: T0 + 10 * MINUTE,
    });
    expect(add(soaking, wave("wave.end", 1))).toMatchObject({ wavePhase: "done", soakUntil: null });
    const { wave: _index, ...nameless } = wave("wave.start", 9);
    expect(add(soaking, nameless as EventBody)).toMatchObject({
      wave: 2,
      wavePhase: "updating",
      soakUntil: null,
    });
  });

  test("stands by its summary until something happens", () => {
    const summary = { type: "summary", level: "info", msg: "", data: {} } as unknown as EventBody;
    const summed = add(aRun(PLAN, run("running")), summary);
    expect(summed.summarized).toBe(true);
    expect(add(summed, run("running")).summarized).toBe(false);
  });

  test("makes progress when a host is updated, not when one stays so", () => {
    const before = at("committing");
    expect(add(before, host("a", "updated", { from: "committing" })).progressAt).toBe(LATER);
    expect(add(before, host("a", "failed", { from: "committing" })).progressAt).toBe(before.progressAt);
    const updated = at("updated");
    expect(add(updated, same("updated")).progressAt).toBe(updated.progressAt);
  });

  test("is not changed by what it says of itself, nor by a host it does not know", () => {
    const state = at("staging");
    const says: EventBody[] = [
      {
        type: "budget",
        level: "info",
        msg: "",
        data: { failed: 1, maxFailures: 1, unavailable: 1, maxUnavailable: 1, deferred: 1 },
      },
      { type: "prompt", level: "info", msg: "", data: { question: "", answers: [] } },
      { type: "diagnostic", level: "info", msg: "", data: { code: "x" } },
      host("z", "failed"),
    ];
    for (const body of says) expect(add(state, body)).toEqual({ ...state, lastSeq: state.lastSeq + 1 });
  });
});

describe("a host", () => {
  test("is in a state since it came there, and touched whenever it is spoken of", () => {
    const before = at("confirming");
    expect(next(before, same("confirming"))).toMatchObject({
      since: progress(before, "a").since,
      touchedAt: LATER,
    });
    expect(next(before, host("a", "committing"))).toMatchObject({
      state: "committing",
      since: LATER,
      touchedSeq: before.lastSeq + 1,
      seenSeq: before.lastSeq + 1,
    });
  });

  test("trouble: since when, of what kind, how often, when it is tried again; and over at the next good word", () => {
    const once = at(
      "staging",
      PLAN,
      same("staging", { failure: failure("unreachable"), deadline: iso(LATER) }),
    );
    const first = progress(once, "a");
    expect(first).toMatchObject({
      trouble: "unreachable",
      tries: 1,
      retryAt: LATER,
      troubleSince: first.touchedAt,
    });
    expect(isSilent(first)).toBe(true);
    const twice = next(once, same("staging", { failure: failure("host-busy") }));
    expect(twice).toMatchObject({
      trouble: "host-busy",
      tries: 2,
      retryAt: null,
      troubleSince: first.troubleSince,
    });
    expect(isSilent(twice)).toBe(false);
    const well = { trouble: null, tries: 0, retryAt: null, troubleSince: null };
    expect(next(once, host("a", "staged", { deadline: iso(LATER) }))).toMatchObject(well);
    expect(next(once, host("a", "failed", { failure: failure("copy-failed", false) }))).toMatchObject(well);
    const check: EventBody = {
      type: "host.check",
      level: "info",
      msg: "",
      host: "a",
      data: { results: [], healthy: true },
    };
    expect(next(once, check)).toMatchObject({
      ...well,
      contactAt: LATER,
      touchedAt: LATER,
      seenSeq: once.lastSeq + 1,
    });
  });

  test("a failure does not tell where it stands", () => {
    const before = at("confirming");
    const silent = next(before, same("confirming", { failure: failure("unreachable") }));
    expect(silent).toMatchObject({ seenSeq: before.lastSeq, touchedSeq: before.lastSeq + 1 });
  });

  test.each<[string, EventBody, boolean]>([
    ["an intent of the run", host("a", "committing"), false],
    ["another intent", host("a", "reverting", { failure: failure("health-failed", false) }), false],
    ["an answer", same("confirming"), true],
    ["a result", host("a", "updated"), true],
    ["no answer", same("confirming", { failure: failure("connection-lost") }), false],
    [
      "a host that went back by itself, because it lost contact",
      host("a", "reverted", { failure: failure("connection-lost", false) }),
      true,
    ],
    ["a refusal", same("confirming", { failure: failure("host-protocol") }), true],
  ])("%s: it answered: %#", (_what, body, answered) => {
    const before = at("confirming");
    expect(next(before, body).contactAt).toBe(answered ? LATER : progress(before, "a").contactAt);
  });

  test("an intent that is repeated is an answer", () => {
    expect(next(at("activating"), same("activating")).contactAt).toBe(LATER);
  });

  test("keeps what it was told until it is told otherwise", () => {
    const told = {
      fence: 9,
      previous: "p",
      baselineFailed: ["u"],
      mode: "boot" as const,
      detail: { bootId: "b" },
      bytes: 5,
    };
    const before = at("staging", PLAN, same("staging", told));
    const kept = { fence: 9, previous: "p", baselineFailed: ["u"], mode: "boot", bootId: "b", bytes: 5 };
    expect(progress(before, "a")).toMatchObject(kept);
    expect(next(before, host("a", "staged", { detail: { bootId: 3 } }))).toMatchObject(kept);
    expect(next(before, host("a", "staged", { bytes: 2, fence: 10 }))).toMatchObject({
      ...kept,
      fence: 10,
      bytes: 7,
    });
  });

  test("its timer runs until it moves on; trouble does not stop it", () => {
    const armed = at("staged", PLAN, host("a", "activating", { fence: 1, deadline: iso(LATER) }));
    expect(progress(armed, "a").deadline).toBe(iso(LATER));
    expect(next(armed, same("activating")).deadline).toBe(iso(LATER));
    const trouble = same("activating", { failure: failure("unreachable"), deadline: iso(LATER + 1) });
    expect(next(armed, trouble)).toMatchObject({ deadline: iso(LATER), retryAt: LATER + 1 });
    expect(next(armed, host("a", "confirming")).deadline).toBeNull();
    expect(next(armed, same("activating", { deadline: iso(LATER + 2) })).deadline).toBe(iso(LATER + 2));
  });

  test("why it failed stays while it goes back, and goes when it moves on", () => {
    const ill = failure("health-failed", false);
    const back = at("confirming", PLAN, host("a", "reverting", { failure: ill }));
    expect(next(back, same("reverting", { failure: failure("unreachable") })).failure).toEqual(ill);
    expect(next(back, same("reverting")).failure).toEqual(ill);
    expect(next(back, host("a", "reverted")).failure).toEqual(ill);
    expect(next(back, host("a", "reverted", { failure: failure("x", false) })).failure?.code).toBe("x");
    expect(next(back, host("a", "updated")).failure).toBeNull();
    const silent = at("confirming", PLAN, same("confirming", { failure: failure("unreachable") }));
    expect(next(silent, same("confirming")).failure?.code).toBe("unreachable");
    expect(next(silent, host("a", "committing")).failure).toBeNull();
  });

  test("its health is proven anew after each change, not after each word", () => {
    const check: EventBody = {
      type: "host.check",
      level: "info",
      msg: "",
      host: "a",
      data: { results: [{ name: "app", type: "command", status: "failed", message: "" }], healthy: false },
    };
    const ill = at("confirming", PLAN, check);
    expect(progress(ill, "a").health.checkedAt).not.toBeNull();
    expect(next(ill, same("confirming")).health).toEqual(progress(ill, "a").health);
    expect(next(ill, host("a", "unknown")).health).toEqual(progress(ill, "a").health);
    expect(next(ill, host("a", "updated")).health.checkedAt).toBeNull();
    const unknown = add(ill, host("a", "unknown"));
    expect(next(unknown, host("a", "confirming")).health.checkedAt).toBeNull();
  });

  test("is committed from its update until it has gone back", () => {
    const done = at("updated");
    expect(progress(done, "a").committed).toBe(true);
    expect(next(done, host("a", "reverting")).committed).toBe(true);
    expect(next(done, host("a", "reverted")).committed).toBe(false);
    expect(next(at("confirming"), host("a", "committing")).committed).toBe(false);
  });

  test("a new attempt starts without the marks of the one before, and in a state of its own", () => {
    const log: EventBody = { type: "host.log", level: "info", msg: "", host: "a", data: { lines: ["x"] } };
    const failed = at(
      "updated",
      PLAN,
      host("a", "failed", { failure: failure("x", false), mode: "boot", deadline: iso(LATER) }),
      log,
    );
    expect(progress(failed, "a").evidence).toEqual(["x"]);
    expect(next(failed, host("a", "pending", {}, 2))).toMatchObject({
      attempt: 2,
      state: "pending",
      since: LATER,
      fence: null,
      deadline: null,
      failure: null,
      evidence: null,
      committed: false,
      mode: "test",
      previous: progress(failed, "a").previous,
    });
    const waiting = at("pending");
    expect(next(waiting, host("a", "pending", {}, 2)).since).toBe(LATER);
    expect(next(failed, host("a", "failed", {}, 1))).toMatchObject({ attempt: 1, evidence: ["x"] });
  });

  test.each(HostStates.options)("given up in flight (then %s): unsettled until it is seen at rest", (to) => {
    const lost = at("unknown", PLAN, host("a", "failed", { failure: failure("unreachable", false) }));
    expect(progress(lost, "a").unsettled).toBe(true);
    const rest = ["staging", "updated", "reverted", "skipped"].includes(to);
    expect(next(lost, host("a", to)).unsettled).toBe(!rest);
    if (to === "skipped")
      expect(next(lost, host("a", to, { failure: failure("x", false) })).unsettled).toBe(true);
    const untouched = at("preflight", PLAN, host("a", "failed"));
    expect(progress(untouched, "a").unsettled).toBe(false);
  });
});
