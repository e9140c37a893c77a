/** The envelope of what is said: about whom, and how loud. */
import { describe, expect, test } from "vitest";
import { about, iso, moved, runMoved } from "../../src/rollout/bodies.ts";
import { HostState, RunState } from "../../src/rollout/events.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { aRun, host, progress, run } from "../support/run.ts";

const held = { known: new Map([["c", { reachable: true, current: null, held: "held" }]]) };
const plan = aPlan(anInventory([aHost("a"), aHost("b", "peer", { site: null }), aHost("c")]), held);
const state = aRun(plan, run("running"), host("a", "staging", {}, 2));

test("who, where, and which attempt; nothing that is not known", () => {
  const wave = progress(state, "a").wave;
  expect(about(state, progress(state, "a"))).toEqual({
    wave,
    host: "a",
    role: "peer",
    site: "gent",
    attempt: 2,
  });
  expect(about(state, progress(state, "b"))).toEqual({
    wave: progress(state, "b").wave,
    host: "b",
    role: "peer",
    attempt: 1,
  });
  expect(about(state, progress(state, "c"))).toEqual({ host: "c", attempt: 1 });
});

describe("how loud", () => {
  const LOUD: Partial<Record<HostState, string>> = {
    deferred: "warn",
    reverting: "warn",
    unknown: "warn",
    reverted: "error",
    failed: "error",
    drifted: "error",
  };
  const failure = { code: "unreachable", message: "", transient: true };

  test.each(HostState.options)("a host that is %s", (to) => {
    const event = moved(state, progress(state, "a"), to, "text");
    expect(event).toMatchObject({ type: "host.state", host: "a", msg: "text", level: LOUD[to] ?? "info" });
    expect(event.data).toEqual({ from: "staging", to });
    expect(moved(state, progress(state, "a"), to, "", { failure }).level).toBe(LOUD[to] ?? "warn");
  });

  test.each(RunState.options)("a run that is %s", (to) => {
    const loud = ["paused", "aborting", "rolling_back"].includes(to);
    expect(runMoved(state, to, "text")).toEqual({
      type: "rollout.state",
      level: loud ? "warn" : "info",
      msg: "text",
      data: { from: "running", to },
    });
    const why = { reason: "quorum", detail: "why", until: iso(0) } as const;
    expect(runMoved(state, to, "", why).data).toEqual({ from: "running", to, ...why });
  });
});

test("times are ISO 8601, UTC", () => {
  expect(iso(0)).toBe("1970-01-01T00:00:00.000Z");
});
