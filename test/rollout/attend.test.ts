/** What one host needs next, state by state: what is asked of it, how often, and when silence has an end. */
import { describe, expect, test } from "vitest";
import { attend } from "../../src/rollout/attend.ts";
import type { Context } from "../../src/rollout/context.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { checkMs, giveUpAfterMs, lostAfterMs, pollMs } from "../../src/rollout/timing.ts";
import { add } from "../support/folding.ts";
import { at, iso, MINUTE, PLAN } from "../support/one-host.ts";
import { aContext, host, progress, run } from "../support/run.ts";

const P = PLAN.policy;
const since = (state: RolloutState) => progress(state, "a").since;
const ask = (state: RolloutState, more: Partial<Context> = {}) =>
  attend(state, progress(state, "a"), aContext({ now: since(state), ...more }));
const wants = (state: RolloutState, more: Partial<Context> = {}) =>
  ask(state, more).effects.map((e) => (e.kind === "check" ? `check${e.soaking ? " soaking" : ""}` : e.kind));
const silence = (state: HostState, code = "unreachable"): EventBody =>
  host("a", state, { from: state, failure: { code, message: "no answer", transient: true } });
const failureOf = (code: string) => ({ failure: { code, message: "", transient: false } });
/** Not seen by this controller yet. */
const resumed = (state: RolloutState): Partial<Context> => ({
  resumedSeq: state.lastSeq,
  resumedAt: since(state),
});

describe("asked of it", () => {
  test.each<[HostState, string[]]>([
    ["pending", []],
    ["preflight", ["observe"]],
    ["staging", ["stage"]],
    ["staged", []],
    ["activating", []],
    ["rebooting", []],
    ["confirming", ["check"]],
    ["committing", ["commit"]],
    ["updated", ["check soaking"]],
    ["skipped", []],
    ["deferred", []],
    ["reverting", ["revert"]],
    ["reverted", ["evidence"]],
    ["failed", ["evidence"]],
    ["unknown", []],
    ["drifted", []],
  ])("%s: %j", (state, effects) => {
    expect(wants(at(state))).toEqual(effects);
    expect(wants(at(state), { inFlight: new Map([["a", "observe"]]) })).toEqual([]);
  });

  test.each<HostState>(["activating", "rebooting", "confirming", "committing", "unknown"])(
    "by a controller that resumes (%s): where it stands, at once",
    (state) => {
      const s = at(state);
      expect(wants(s, resumed(s))).toEqual(["observe"]);
    },
  );

  test.each([
    ["health-failed", "health"],
    ["activation-failed", "operator"],
  ])("to go back: the host's record says why (%s)", (code, reason) => {
    const s = at(
      "confirming",
      PLAN,
      host("a", "reverting", { failure: { code, message: "", transient: false } }),
    );
    expect(ask(s).effects).toEqual([{ kind: "revert", host: "a", reason }]);
  });
});

describe("how often", () => {
  test.each<[HostState, string]>([
    ["activating", "observe"],
    ["rebooting", "observe"],
    ["unknown", "observe"],
  ])("%s: at a steady pace, and at once when the clock was set back", (state, effect) => {
    const s = at(state);
    const due = since(s) + pollMs(P);
    expect(ask(s, { now: due - 1 })).toMatchObject({ effects: [], events: [], wakeAt: due });
    expect(wants(s, { now: due })).toEqual([effect]);
    expect(wants(s, { now: since(s) - 1 })).toEqual([effect]);
  });

  test("reverting: told at once, asked again at that pace", () => {
    const told = at("reverting", PLAN, host("a", "reverting", { from: "reverting" }));
    const { touchedAt } = progress(told, "a");
    expect(wants(told, { now: touchedAt + pollMs(P) - 1 })).toEqual([]);
    expect(wants(told, { now: touchedAt + pollMs(P) })).toEqual(["revert"]);
  });

  test("not before a retry is due", () => {
    const later = {
      failure: { code: "unreachable", message: "", transient: true },
      deadline: iso(since(at("staging")) + MINUTE),
    };
    const s = at("staging", PLAN, host("a", "staging", { from: "staging", ...later }));
    const due = Date.parse(later.deadline);
    expect(ask(s, { now: due - 1 })).toMatchObject({ effects: [], wakeAt: due });
    expect(wants(s, { now: due })).toEqual(["stage"]);
  });
});

describe("while health is proven", () => {
  const check = (status: "ok" | "failed"): EventBody => ({
    type: "host.check",
    level: "info",
    msg: "",
    host: "a",
    data: { results: [{ name: "app", type: "command", status, message: "" }], healthy: status === "ok" },
  });

  test("looked at in the pace of the policy", () => {
    const s = at("confirming", PLAN, check("failed"));
    const { touchedAt } = progress(s, "a");
    expect(ask(s, { now: touchedAt + checkMs(P) - 1 })).toMatchObject({
      effects: [],
      wakeAt: touchedAt + checkMs(P),
    });
    expect(wants(s, { now: touchedAt + checkMs(P) })).toEqual(["check"]);
    expect(wants(s, { now: touchedAt - 1 })).toEqual(["check"]);
  });

  test("proven: it is committed", () => {
    const s = at("confirming", PLAN, check("ok"), check("ok"));
    expect(progress(s, "a").health.verdict).toBe("healthy");
    expect(ask(s).events).toMatchObject([{ data: { from: "confirming", to: "committing" } }]);
  });

  test("not proven in time: it goes back, and says how long it had", () => {
    const s = at("confirming", PLAN, check("failed"));
    const end = since(s) + P.healthyDeadlineMs;
    expect(ask(s, { now: end }).events).toEqual([]);
    expect(ask(s, { now: end + 1 }).events).toMatchObject([
      {
        msg: "not healthy within 300 s",
        data: {
          to: "reverting",
          failure: { code: "health-failed", message: "not healthy within 300 s", transient: false },
        },
      },
    ]);
  });

  test("flapping: it goes back at once", () => {
    const flaps = Array.from({ length: 4 }, () => [check("ok"), check("failed")]).flat();
    const s = at("confirming", { ...PLAN, policy: { ...P, minHealthyTimeMs: 5 * MINUTE } }, ...flaps);
    expect(ask(s).events).toMatchObject([
      { msg: "its health came and went 4 times", data: { to: "reverting" } },
    ]);
  });

  test("nothing heard of it for as long as its timer runs: it has gone back by itself", () => {
    const calm = { ...PLAN, policy: { ...P, healthyDeadlineMs: 60 * MINUTE } };
    const s = at("confirming", calm);
    const lost = since(s) + lostAfterMs(P);
    expect(ask(s, { now: lost }).events).toEqual([]);
    expect(ask(s, { now: lost + 1 }).events).toMatchObject([
      { data: { to: "unknown", failure: { code: "connection-lost", transient: false } } },
    ]);
    const heard = at("confirming", calm, check("failed"));
    expect(ask(heard, { now: lost + 1 }).events).toEqual([]);
  });
});

describe("silence has an end", () => {
  test.each<HostState>(["activating", "rebooting", "confirming", "committing"])(
    "%s: unknown after its timer, measured from the first time it did not answer",
    (state) => {
      const s = at(state, PLAN, silence(state), silence(state));
      const lost = (progress(s, "a").troubleSince ?? 0) + lostAfterMs(P);
      const to = (now: number) => ask(s, { now }).events.map((e) => e.type === "host.state" && e.data.to);
      if (state !== "confirming") expect(to(lost)).toEqual([]);
      expect(to(lost + 1)).toEqual(["unknown"]);
    },
  );

  test("a restart may take its own time", () => {
    const boot = at("activating", PLAN, host("a", "rebooting", { mode: "boot" }), silence("rebooting"));
    const lost = (progress(boot, "a").troubleSince ?? 0) + lostAfterMs(P) + P.healthyDeadlineMs;
    expect(ask(boot, { now: lost }).events).toEqual([]);
    expect(ask(boot, { now: lost + 1 }).events).toMatchObject([{ data: { to: "unknown" } }]);
  });

  test("trouble of another kind is not silence", () => {
    const s = at("activating", PLAN, silence("activating", "host-protocol"));
    expect(ask(s, { now: since(s) + 60 * MINUTE }).events).toEqual([]);
  });

  test.each<HostState>(["unknown", "reverting"])("%s: a case for a person, in the end", (state) => {
    const s = at(
      "confirming",
      PLAN,
      host("a", state, { failure: { code: "connection-lost", message: "", transient: false } }),
      silence(state),
    );
    const from = state === "unknown" ? since(s) : (progress(s, "a").troubleSince ?? 0);
    const end = from + giveUpAfterMs(P);
    expect(ask(s, { now: end }).events).toEqual([]);
    expect(ask(s, { now: end + 1 }).events).toMatchObject([
      {
        data: {
          to: "failed",
          failure: { code: "unreachable", transient: false, hint: expect.stringContaining("retry r-1") },
        },
      },
    ]);
  });

  test("not while an outage lasts, and not for the time without a controller", () => {
    const s = at(
      "confirming",
      PLAN,
      host("a", "unknown", { failure: { code: "connection-lost", message: "", transient: false } }),
      silence("unknown"),
    );
    const late = since(s) + giveUpAfterMs(P) + 1;
    const out = at(
      "confirming",
      PLAN,
      host("a", "unknown", { failure: { code: "connection-lost", message: "", transient: false } }),
      silence("unknown"),
      run("paused", "uplink"),
    );
    expect(ask(out, { now: late }).events).toEqual([]);
    expect(ask(s, { now: late, resumedAt: since(s) + 1 }).events).toEqual([]);
  });

  test("one that is out of reach with its whole site is not given up, however long it was silent before", () => {
    const lost = failureOf("connection-lost");
    for (const state of ["unknown", "reverting"] as const) {
      const s = at("confirming", PLAN, host("a", state, lost), silence(state));
      const late = since(s) + giveUpAfterMs(P) + MINUTE;
      const paused = (reason: "uplink" | "operator") => add(s, run("paused", reason), late);
      expect(ask(paused("uplink"), { now: late + 1 }).events).toEqual([]);
      expect(ask(paused("operator"), { now: late + 1 }).events).toMatchObject([{ data: { to: "failed" } }]);
    }
  });

  test("in an outage that lasts nobody is asked any more, once the deadline for hosts out of reach is over", () => {
    const out = at("confirming", PLAN, silence("confirming"), run("paused", "uplink"));
    const end = out.statusAt + P.offline.unreachableDeadlineMs;
    const quiet = { events: [], effects: [], wakeAt: null };
    expect(ask(out, { now: end + 1 })).toEqual(quiet);
    const operator = at("unknown", PLAN, silence("unknown"), run("paused", "operator"));
    expect(wants(operator, { now: operator.statusAt + P.offline.unreachableDeadlineMs + 1 })).toEqual([
      "observe",
    ]);
  });

  test("a host that obeys another controller is let go, until this one resumes", () => {
    const fenced = at(
      "confirming",
      PLAN,
      host("a", "unknown", { failure: { code: "host-fenced", message: "", transient: false } }),
    );
    expect(ask(fenced, { now: since(fenced) + MINUTE })).toEqual({ events: [], effects: [], wakeAt: null });
    expect(wants(fenced, resumed(fenced))).toEqual(["observe"]);
  });
});
