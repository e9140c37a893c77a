/** From wave to wave: what must be settled, how long it soaks under watch, who opens the gate, and how a run ends. */
import { describe, expect, test } from "vitest";
import type { EventBody } from "../../src/rollout/events.ts";
import {
  all,
  began,
  go,
  is,
  iso,
  MANUAL,
  MINUTE,
  PLAN,
  planWith,
  SOAKED,
  says,
  second,
  silent,
} from "../support/four-hosts.ts";
import { host, run, T0, wave } from "../support/run.ts";

describe("a wave begins", () => {
  test("the first when the run does, the next after the one before", () => {
    expect(go(PLAN, [run("running")]).events).toMatchObject([
      { type: "wave.start", wave: 1, msg: "wave 1/2 (canary): 1 host", data: { hosts: ["a"] } },
    ]);
    expect(go(PLAN, [...began, ...is("a", "updated"), wave("wave.end", 1)]).events).toMatchObject([
      { type: "wave.start", wave: 2, msg: "wave 2/2 (100 %): 3 hosts", data: { hosts: ["b", "c", "d"] } },
    ]);
  });
});

describe("a wave is over", () => {
  test.each(["staging", "activating", "confirming", "reverting", "unknown"] as const)(
    "not while a host is %s",
    (s) => {
      for (const type of says(PLAN, [...began, ...is("a", s)])) expect(type).not.toMatch(/^wave\./);
    },
  );

  test("when something changed it soaks first", () => {
    const now = T0 + MINUTE;
    expect(go(PLAN, [...began, ...is("a", "updated")], { now }).events).toMatchObject([
      {
        type: "wave.soak",
        wave: 1,
        msg: "wave 1 (canary) soaks for 600 s",
        data: { until: iso(now + 10 * MINUTE) },
      },
    ]);
  });

  test.each(["deferred", "skipped"] as const)("when every host was %s there is nothing to prove", (s) => {
    expect(go(PLAN, [...began, host("a", s)]).events).toMatchObject([
      { type: "wave.end", wave: 1, data: { ok: 0, failed: 0, deferred: s === "deferred" ? 1 : 0 } },
    ]);
  });

  test("the last one bakes instead of soaking", () => {
    expect(go(PLAN, [...second, ...all("updated")]).events).toMatchObject([
      { type: "wave.end", wave: 2, data: { ok: 3, failed: 0, deferred: 0 } },
    ]);
  });

  test("without a soak there is still a gate for whoever wants to be asked", () => {
    const soak = { canaryMs: 0, waveMs: [0] };
    const bodies = [...began, ...is("a", "updated")];
    expect(says(planWith({ soak }), bodies)).toEqual(["wave.end"]);
    expect(go(planWith({ soak, promote: "manual" }), bodies).events).toMatchObject([
      { type: "wave.gate", data: { verdict: "waiting" } },
    ]);
  });
});

describe("at its gate", () => {
  const gate = [...began, ...is("a", "updated"), wave("wave.gate", 1)];
  const promote = (more: object = {}): EventBody => ({
    type: "rollout.command",
    level: "info",
    msg: "",
    data: { command: "promote", by: "ann", ...more },
  });

  test("it ends by itself, or the run waits to be promoted", () => {
    expect(says(PLAN, gate)).toEqual(["wave.end"]);
    expect(go(MANUAL, gate).events).toMatchObject([
      {
        type: "rollout.state",
        level: "warn",
        msg: "wave 1 (canary) is done and waits to be promoted",
        data: { from: "running", to: "paused", reason: "gate" },
      },
    ]);
    expect(go(MANUAL, [...gate, run("paused", "gate")])).toMatchObject({
      events: [],
      effects: [],
      idle: true,
    });
  });

  test("promoted, it ends; promoted too early, too", () => {
    expect(says(MANUAL, [...gate, run("paused", "gate"), promote(), run("running")])).toEqual(["wave.end"]);
    const early = [...began, promote({ full: true }), ...is("a", "updated"), wave("wave.soak", 1)];
    expect(go(MANUAL, early, { now: SOAKED }).events).toMatchObject([{ data: { verdict: "open" } }]);
  });
});

describe("the end", () => {
  const over = [...second, ...all("updated"), wave("wave.end", 2)];
  const baking: EventBody = {
    ...run("baking"),
    data: { from: "running", to: "baking", until: iso(SOAKED) },
  } as EventBody;

  test("what was updated bakes", () => {
    const now = T0 + MINUTE;
    expect(go(PLAN, over, { now }).events).toMatchObject([
      {
        type: "rollout.state",
        level: "info",
        msg: "all waves done, bakes for 300 s",
        data: { to: "baking", until: iso(now + 5 * MINUTE) },
      },
    ]);
  });

  test("at once when there is nothing to bake, or no time to", () => {
    expect(go(planWith({ finalBakeMs: 0 }), over).events).toMatchObject([
      { msg: "done", data: { to: "succeeded" } },
    ]);
    const none = [
      run("running"),
      wave("wave.start", 2),
      ...["a", "b", "c", "d"].map((n) => host(n, "skipped")),
    ];
    expect(go(PLAN, [...none, wave("wave.end", 2)]).events).toMatchObject([{ data: { to: "succeeded" } }]);
  });

  test("baked to the millisecond, every host under watch meanwhile", () => {
    const now = SOAKED - 1;
    const before = go(PLAN, [...over, baking], { now });
    expect(before.events).toEqual([]);
    expect(before.effects.map((e) => e.host)).toEqual(["a", "b", "c", "d"]);
    const paced = go(PLAN, [...over, baking], {
      now,
      inFlight: new Map(["a", "b", "c", "d"].map((n) => [n, "check"])),
    });
    expect(paced).toMatchObject({ effects: [], wakeAt: SOAKED, idle: false });
    expect(go(PLAN, [...over, baking], { now: SOAKED }).events).toMatchObject([
      { data: { from: "baking", to: "succeeded" } },
    ]);
  });

  test("not while a host goes back, and not while one is silent", () => {
    expect(says(PLAN, [...over, baking, ...is("b", "reverting")], { now: SOAKED })).toEqual([]);
    expect(says(PLAN, [...over, baking, silent("c")], { now: SOAKED })).toEqual([]);
    expect(go(PLAN, [...over, baking, silent("c")], { now: SOAKED + 3 * MINUTE }).events).toMatchObject([
      { host: "c", data: { to: "failed" } },
    ]);
  });

  test.each([
    ["deferred", "done, but 0 failed and 1 wait to catch up"],
    ["reverted", "done, but 1 failed and 0 wait to catch up"],
  ] as const)("a host that was %s: with stragglers", (s, msg) => {
    const tolerant = planWith({ finalBakeMs: 0, onFailure: "continue" });
    const evidence: EventBody = { type: "host.log", level: "info", msg: "", host: "b", data: { lines: [] } };
    const bodies = [...over, ...is("b", s), evidence];
    expect(go(tolerant, bodies).events).toMatchObject([{ msg, data: { to: "succeeded_with_stragglers" } }]);
  });
});

describe("nothing is decided", () => {
  test.each(["aborted", "succeeded", "rolled_back", "superseded", "failed"] as const)(
    "once it is %s",
    (status) => {
      const verdict = go(PLAN, [...second, ...is("b", "confirming"), run(status)]);
      expect(verdict).toEqual({ events: [], effects: [], idle: true, wakeAt: null });
    },
  );

  test("before it began, when it is to end; else it begins", () => {
    for (const status of ["planned", "queued"] as const) {
      const bodies = status === "planned" ? [] : [run(status)];
      expect(go(PLAN, bodies, { draining: true })).toEqual({
        events: [],
        effects: [],
        idle: true,
        wakeAt: null,
      });
      expect(go(PLAN, bodies)).toMatchObject({
        events: [{ type: "rollout.state", data: { from: status, to: "running" } }],
        idle: false,
      });
    }
  });

  test("aborting: over when nobody is in flight any more", () => {
    const going = [...second, ...is("b", "confirming"), run("aborting")];
    expect(says(PLAN, going)).not.toContain("rollout.state");
    expect(go(PLAN, [...second, ...is("b", "updated"), run("aborting")]).events).toMatchObject([
      { data: { from: "aborting", to: "aborted" } },
    ]);
    const looking = { inFlight: new Map([["b", "observe" as const]]) };
    expect(says(PLAN, [...second, ...is("b", "updated"), run("aborting")], looking)).toEqual([]);
  });
});
