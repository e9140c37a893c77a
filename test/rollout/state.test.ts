/** What a run is after each kind of event: the fold that resume, views and decisions all stand on. */
import { describe, expect, test } from "vitest";
import { type EventBody, type FleetEvent, RunState, TERMINAL_STATES } from "../../src/rollout/events.ts";
import { evolve, replay } from "../../src/rollout/state.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { add, LATER, same } from "../support/folding.ts";
import { at, iso, MINUTE, PLAN } from "../support/one-host.ts";
import { aRun, host, progress, run, T0, wave } from "../support/run.ts";

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
      data: { from: "paused", to, reason: "quorum", detail: "why", until: iso(LATER) },
    } as EventBody);
    expect(state).toMatchObject({
      status: to,
      reason: "quorum",
      detail: "why",
      until: LATER,
      statusAt: LATER,
    });
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
