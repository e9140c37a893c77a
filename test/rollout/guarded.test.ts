/** Guards answered: the slot is taken, waited for, or the run pauses. */
import { describe, expect, test } from "vitest";
import type { Context } from "../../src/rollout/context.ts";
import type { GuardReading } from "../../src/rollout/effects.ts";
import type { HostState } from "../../src/rollout/events.ts";
import { giveBack } from "../../src/rollout/guarded.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { pollMs } from "../../src/rollout/timing.ts";
import {
  at,
  began,
  deadlineOf,
  done,
  iso,
  MINUTE,
  NOW,
  on,
  PLAN,
  planWith,
  staging,
} from "../support/one-host.ts";
import { aContext, aRun, host, run } from "../support/run.ts";

describe("guards", () => {
  const reading = (more: Partial<GuardReading> = {}): GuardReading => ({
    role: "bootstrap",
    site: null,
    healthy: ["x", "y"],
    unhealthy: [],
    required: 2,
    ...more,
  });
  const asked = (state: RolloutState, readings: readonly GuardReading[], more: Partial<Context> = {}) =>
    on(state, done("guard", { readings, givenUp: [] }), more);

  test("agree: the intent is written, with fence and deadline, and then it begins", () => {
    expect(asked(at("staged"), [reading()])).toEqual({
      events: [
        expect.objectContaining({
          msg: "activates",
          data: { from: "staged", to: "activating", fence: 7, deadline: iso(NOW + 5 * MINUTE), mode: "test" },
        }),
      ],
      effects: [{ kind: "activate", host: "a" }],
    });
    const boot = aRun(PLAN, ...began, staging, host("a", "staged", { mode: "boot" }));
    expect(asked(boot, [])).toMatchObject({
      events: [{ msg: expect.stringContaining("restarts"), data: { mode: "boot" } }],
    });
  });

  test.each([
    [null, "in the fleet"],
    ["gent", "in gent"],
  ])("do not (site %j): the run pauses and says who is missing", (site, where) => {
    const bad = reading({ site, healthy: ["x"], unhealthy: ["y", "z"] });
    const { events, effects } = asked(at("staged"), [reading(), bad]);
    const msg = `a may not be touched: 2 other bootstrap host(s) ${where} must be healthy, 1 are (not: y, z)`;
    expect(events).toMatchObject([
      { type: "rollout.state", msg, data: { to: "paused", reason: "quorum", detail: msg } },
    ]);
    expect(effects).toEqual([]);
  });

  const soon = iso(NOW + 4 * pollMs(PLAN.policy));
  const waiting = (state: HostState) => [
    {
      type: "host.state",
      data: { from: state, to: state, deadline: soon, failure: { code: "needs-human", transient: true } },
    },
  ];

  test("lean on hosts that are in flight, here or in another run: asked again soon", () => {
    const lean = reading({ healthy: ["x", "b"] });
    const busy = [host("b", "staging", { previous: "p" }), host("b", "activating", { fence: 7 })];
    expect(asked(at("staged", PLAN, ...busy), [lean])).toMatchObject({
      events: waiting("staged"),
      effects: [],
    });
    expect(asked(at("staged"), [lean]).effects).toHaveLength(1);
    expect(asked(at("staged", PLAN, host("b", "updated")), [lean]).effects).toHaveLength(1);
  });

  test("answer too late", () => {
    expect(asked(at("staged"), [reading()], { draining: true })).toEqual({ events: [], effects: [] });
    expect(asked(at("staged", PLAN, run("paused", "operator")), [reading()])).toEqual({
      events: [],
      effects: [],
    });
    expect(asked(at("updated"), [reading()])).toEqual({ events: [], effects: [] });
    expect(asked(at("activating"), [reading()])).toEqual({ events: [], effects: [] });
  });

  test("agree so late that the change would not be over before the window closes", () => {
    const need = PLAN.policy.minHealthyTimeMs + PLAN.policy.confirmTimeoutMs;
    const windowed = (lengthMs: number) => {
      const windows = [{ days: [], start: "12:00", lengthMs, tz: "UTC" } as const];
      return { ...PLAN, hosts: PLAN.hosts.map((h) => ({ ...h, windows })) };
    };
    expect(asked(at("staged", windowed(MINUTE + need)), [reading()]).effects).toHaveLength(1);
    expect(asked(at("staged", windowed(MINUTE + need - 1)), [reading()])).toEqual({
      events: [],
      effects: [],
    });
    // Going back is not put off for it.
    const back = at("updated", windowed(MINUTE), run("rolling_back"));
    expect(asked(back, [reading()]).effects).toHaveLength(1);
  });

  test("agree, but its slot is gone: not the one it holds by asking", () => {
    const one = planWith({ maxParallel: { kind: "count", n: 1 } });
    const asking = (...names: string[]) => ({ inFlight: new Map(names.map((n) => [n, "guard" as const])) });
    const state = at("staged", one, host("b", "staging", { previous: "p" }), host("b", "staged"));
    expect(asked(state, [], asking("a")).effects).toHaveLength(1);
    expect(asked(state, [], asking("a", "b"))).toEqual({ events: [], effects: [] });
    const copying = { inFlight: new Map([["b", "stage" as const]]) };
    expect(asked(state, [], copying).effects).toHaveLength(1);
  });

  test("on the way back: the host goes back, or waits, but the run is never paused for it", () => {
    const back = at("updated", PLAN, run("rolling_back"));
    expect(asked(back, [reading()]).events).toMatchObject([
      { data: { from: "updated", to: "reverting", failure: { code: "rolled-back", transient: false } } },
    ]);
    expect(asked(back, [reading({ healthy: [] })])).toMatchObject({
      events: waiting("updated"),
      effects: [],
    });
    expect(asked(at("staged", PLAN, run("rolling_back")), [reading()])).toEqual({ events: [], effects: [] });
  });

  test("a slot given back is a short wait, and nothing else", () => {
    const events = giveBack(at("activating"), "a", aContext({ now: NOW }));
    expect(events).toMatchObject([
      { data: { from: "activating", to: "staged", failure: { code: "host-busy", transient: true } } },
    ]);
    const deadline = deadlineOf(events[0]);
    expect(deadline).toBeGreaterThanOrEqual(NOW + 10_000);
    expect(deadline).toBeLessThan(NOW + 12_500);
    expect(giveBack(at("staged"), "a", aContext())).toEqual([]);
    expect(giveBack(at("staged"), "nobody", aContext())).toEqual([]);
  });
});
