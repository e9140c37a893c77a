/** What comes back from a host, and what the run then believes of it. */
import { describe, expect, test } from "vitest";
import type { HostStateFile, Observation } from "../../src/host/protocol.ts";
import type { Policy } from "../../src/plan/policy.ts";
import type { Outcome } from "../../src/rollout/effects.ts";
import type { HostState } from "../../src/rollout/events.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { at, done, FROM, file, looked, on, PLAN, planWith, TO } from "../support/one-host.ts";
import { anObservation, host } from "../support/run.ts";

describe("copied", () => {
  const copied = (
    bytes: number,
    rebootNeeded: boolean,
    reboot: Policy["reboot"],
    from: HostState = "staging",
  ) => on(at(from, planWith({ reboot })), done("stage", { bytes, rebootNeeded })).events;

  test.each([
    ["never", false, "test"],
    ["never", true, "test"],
    ["if-needed", false, "test"],
    ["if-needed", true, "boot"],
    ["always", false, "boot"],
    ["always", true, "boot"],
  ] as const)("reboot %s, needed %s: %s", (reboot, needed, mode) => {
    expect(copied(5, needed, reboot)).toMatchObject([
      { msg: "copied 5 bytes", data: { to: "staged", bytes: 5, mode } },
    ]);
  });

  test("nothing was missing; nobody waits for it any more", () => {
    expect(copied(0, false, "never")).toMatchObject([
      { msg: "already had everything", data: { to: "staged" } },
    ]);
    expect(copied(5, false, "never", "deferred")).toEqual([]);
  });
});

describe("checked", () => {
  type Status = "ok" | "failed" | "retry";
  const result = (name: string, status: Status) => ({
    name,
    type: "command",
    status,
    message: `${name} says ${status}`,
  });
  const checked = (state: RolloutState, ...statuses: Status[]) =>
    on(state, done("check", { results: statuses.map((s, i) => result(`c${i}`, s)) })).events;

  test.each<[Status[], boolean, string]>([
    [[], true, "0 checks ok"],
    [["ok", "ok"], true, "2 checks ok"],
    [["ok", "failed"], false, "c1: c1 says failed"],
    [["retry", "failed"], false, "c1: c1 says failed; c0: c0 says retry"],
    [["retry"], false, "c0: c0 says retry"],
  ])("%j", (statuses, healthy, msg) => {
    expect(checked(at("confirming"), ...statuses)).toMatchObject([
      {
        type: "host.check",
        host: "a",
        level: healthy ? "debug" : "warn",
        msg,
        data: { healthy, results: statuses.map((status) => ({ status })) },
      },
    ]);
  });

  test("a committed host that fell ill goes back; one that cannot say yet does not", () => {
    expect(checked(at("updated"), "failed")).toMatchObject([
      { type: "host.check" },
      {
        type: "host.state",
        data: {
          from: "updated",
          to: "reverting",
          failure: {
            code: "health-failed",
            message: "unhealthy after its update: c0: c0 says failed",
            transient: false,
          },
        },
      },
    ]);
    expect(checked(at("updated"), "retry").map((e) => e.type)).toEqual(["host.check"]);
    expect(checked(at("updated"), "ok").map((e) => e.type)).toEqual(["host.check"]);
  });

  test("nobody waits for it any more", () => {
    for (const state of ["reverting", "committing", "failed", "unknown"] as const)
      expect(checked(at(state), "failed")).toEqual([]);
  });
});

describe("done", () => {
  test("committed: updated, unless it moved on", () => {
    expect(on(at("committing"), done("commit", {})).events).toMatchObject([{ data: { to: "updated" } }]);
    expect(on(at("unknown"), done("commit", {})).events).toEqual([]);
  });

  test("activated: the host's own record tells the rest", () => {
    expect(on(at("activating"), done("activate", {}))).toEqual({ events: [], effects: [] });
  });

  test("evidence: every line says where it is from", () => {
    const evidence = { failedUnits: ["u"], log: ["l"], journal: ["j"], closureDiff: ["d"] };
    expect(on(at("failed"), done("evidence", { evidence })).events).toMatchObject([
      {
        type: "host.log",
        host: "a",
        msg: "evidence of a",
        data: { lines: ["failed unit: u", "log: l", "journal: j", "changed: d"] },
      },
    ]);
  });

  test("of a host that is not in this run: nothing", () => {
    const outcome = { ...done("commit", {}), effect: { kind: "commit", host: "z" } } as Outcome;
    expect(on(at("committing"), outcome)).toEqual({ events: [], effects: [] });
  });
});

describe("it answered, and nothing had begun there", () => {
  const hold = { by: "ann", reason: "new disk", until: 0 };

  test("it is begun again, unless it is held by now", () => {
    const seen = anObservation(FROM);
    expect(on(at("unknown"), looked(seen)).events).toMatchObject([{ data: { to: "staged" } }]);
    expect(on(at("unknown"), looked({ ...seen, closureValid: false })).events).toMatchObject([
      { data: { to: "staging" } },
    ]);
    for (const closureValid of [true, false])
      expect(on(at("unknown"), looked({ ...seen, closureValid, hold })).events).toMatchObject([
        { msg: "held by ann: new disk", data: { from: "unknown", to: "deferred" } },
      ]);
  });

  test("a hold changes nothing about what has begun", () => {
    const seen = anObservation(TO, { hold, state: file("activated") });
    expect(on(at("unknown"), looked(seen)).events).toMatchObject([{ data: { to: "confirming" } }]);
  });
});

describe("it answered, and nothing is new", () => {
  const running = (phase: HostStateFile["phase"]): Observation =>
    anObservation(phase === "activating" ? FROM : TO, {
      profile: FROM,
      revertArmed: true,
      activateActive: phase === "activating",
      state: {
        schema: 1,
        rollout: PLAN.id,
        attempt: 1,
        fence: 7,
        from: FROM,
        to: TO,
        mode: "test",
        phase,
        rc: 0,
        reason: null,
        bootId: "boot-1",
        baselineFailed: [],
      },
    });
  const noted = [{ level: "debug", msg: "answered; still at it" }];

  test("worth an entry where somebody waits for an answer", () => {
    expect(on(at("activating"), looked(running("activating"))).events).toMatchObject(noted);
    expect(on(at("confirming"), looked(running("activated"))).events).toEqual([]);
  });

  test("and where it ends trouble, or is the first word to a resumed controller", () => {
    const trouble = host("a", "confirming", {
      from: "confirming",
      failure: { code: "unreachable", message: "", transient: true },
    });
    expect(on(at("confirming", PLAN, trouble), looked(running("activated"))).events).toMatchObject(noted);
    const state = at("confirming");
    expect(on(state, looked(running("activated")), { resumedSeq: state.lastSeq }).events).toMatchObject(
      noted,
    );
  });

  test("reverted by its timer while no controller was there: tried again, in a new attempt", () => {
    const back = (reason: string) => {
      const seen = running("reverted");
      return { ...seen, current: FROM, revertArmed: false, state: seen.state && { ...seen.state, reason } };
    };
    const state = at("confirming");
    const resumed = { resumedSeq: state.lastSeq };
    expect(on(state, looked(back("timeout")), resumed).events).toMatchObject([
      { attempt: 2, data: { to: "pending" } },
    ]);
    expect(on(state, looked(back("health")), resumed).events).toMatchObject([
      { attempt: 1, data: { to: "reverted" } },
    ]);
    expect(on(state, looked(back("timeout"))).events).toMatchObject([
      { attempt: 1, data: { to: "reverted" } },
    ]);
  });
});
