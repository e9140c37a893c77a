/** What a run that its controller lets go of says: numbers, exit status, what to type next. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/plan/model.ts";
import type { EventBody, HostState, PauseReason, RunState } from "../../src/rollout/events.ts";
import { RunState as RunStates } from "../../src/rollout/events.ts";
import { exitOf, summarize } from "../../src/rollout/summary.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { aRun, host, run, wave } from "../support/run.ts";

const NAMES = ["a", "b", "c", "d", "e", "f"];
const plan = aPlan(anInventory(NAMES.map((n) => aHost(n))));
const state = (
  status: RunState,
  hosts: Readonly<Record<string, HostState>> = {},
  { reason, p = plan, more = [] }: { reason?: PauseReason; p?: Plan; more?: readonly EventBody[] } = {},
) =>
  aRun(
    p,
    run("running"),
    wave("wave.start", 1),
    ...Object.entries(hosts).map(([name, to]) => host(name, to)),
    ...more,
    run(status, reason),
  );

describe("the exit status", () => {
  const FINE = { a: "updated" } as const;
  test.each<[RunState, number]>([
    ["planned", 1],
    ["queued", 1],
    ["running", 1],
    ["baking", 1],
    ["paused", 5],
    ["aborting", 3],
    ["aborted", 3],
    ["failed", 3],
    ["rolling_back", 3],
    ["rolled_back", 3],
    ["rollback_failed", 3],
    ["succeeded", 0],
    ["succeeded_with_stragglers", 0],
    ["superseded", 1],
  ])("%s: %i", (status, exit) => {
    expect(exitOf(state(status, FINE), false)).toBe(exit);
    // ^C explains why a run is not over, and nothing else.
    expect(exitOf(state(status, FINE), true)).toBe(exit === 1 ? 130 : exit);
    for (const bad of ["failed", "reverted", "drifted"] as const)
      expect(exitOf(state(status, { a: bad, b: "deferred" }), true)).toBe(3);
  });

  test("only hosts that wait to catch up are left: 4, once the run is over", () => {
    expect(exitOf(state("succeeded_with_stragglers", { a: "deferred" }), false)).toBe(4);
    expect(exitOf(state("succeeded", { a: "deferred" }), false)).toBe(4);
    expect(exitOf(state("paused", { a: "deferred" }), false)).toBe(5);
  });
});

describe("the summary", () => {
  test("counts every host once", () => {
    const hosts = { a: "updated", b: "reverted", c: "deferred", d: "skipped", e: "confirming" } as const;
    expect(summarize(state("paused", hosts, { reason: "failures" }), false)).toMatchObject({
      type: "summary",
      level: "warn",
      msg: "r-1 paused: 1 updated, 1 failed, 1 deferred, 1 skipped, 2 not started",
      data: {
        state: "paused",
        reason: "failures",
        ok: 1,
        failed: 1,
        deferred: 1,
        skipped: 1,
        pending: 2,
        exit: 3,
      },
    });
  });

  test("is good news only when there is nothing left to do", () => {
    const good = summarize(state("succeeded", { a: "updated" }), false);
    expect(good).toMatchObject({ level: "info", data: { exit: 0 } });
    expect(good.data).not.toHaveProperty("reason");
    const rest = summarize(state("succeeded_with_stragglers", { a: "deferred" }), false);
    expect(rest).toMatchObject({
      level: "warn",
      msg: expect.stringContaining("r-1 succeeded with stragglers:"),
    });
  });
});

describe("what to type next", () => {
  const next = (...args: Parameters<typeof state>) => {
    const { data } = summarize(state(...args), false);
    return (data as { next: string[] }).next.map((line) => line.replace("macula-fleet ", ""));
  };
  const LOOK = "rollout status r-1 --host b";
  const verb = (...names: string[]) => names.map((name) => `rollout ${name} r-1`);
  const BOTH = { a: "updated", b: "failed" } as const;
  const FAILED = { b: "failed" } as const;

  test.each<[RunState, PauseReason | undefined, string[]]>([
    ["paused", "gate", verb("promote", "abort", "undo")],
    ["paused", "failures", [LOOK, ...verb("retry", "abort", "undo")]],
    ["paused", "operator", verb("resume", "abort", "undo")],
    ["paused", "quorum", verb("resume", "abort", "undo")],
    ["planned", undefined, verb("resume", "status")],
    ["queued", undefined, verb("resume", "status")],
    ["running", undefined, verb("resume", "status")],
    ["baking", undefined, verb("resume", "status")],
    ["aborting", undefined, verb("resume", "status")],
    ["rolling_back", undefined, verb("resume", "status")],
    ["succeeded", undefined, [LOOK, "status", ...verb("undo")]],
    ["succeeded_with_stragglers", undefined, [LOOK, "reconcile", ...verb("undo")]],
    ["aborted", undefined, [LOOK, "rollout", ...verb("undo")]],
    ["failed", undefined, [LOOK, "rollout", ...verb("undo")]],
    ["rolled_back", undefined, [LOOK, "status"]],
    ["rollback_failed", undefined, [LOOK, "status", ...verb("undo")]],
    ["superseded", undefined, ["rollout history"]],
  ])("%s (%s)", (status, reason, expected) => {
    const more = reason === undefined ? {} : { reason };
    expect(next(status, BOTH, more)).toEqual(expected);
    // Nothing was updated: there is nothing to undo. Nothing failed: there is nothing to look at.
    const undo = verb("undo")[0];
    expect(next(status, FAILED, more)).toEqual(expected.filter((line) => line !== undo));
    expect(next(status, { a: "updated" }, more)).toEqual(expected.filter((line) => line !== LOOK));
  });

  test("every state of a run has something", () => {
    for (const status of RunStates.options) expect(next(status, {})).not.toEqual([]);
  });

  test("without progress: whoever failed may be what keeps the others waiting", () => {
    const deadline = { reason: "deadline" } as const;
    expect(next("paused", BOTH, deadline)).toEqual([LOOK, ...verb("retry", "resume", "abort", "undo")]);
    expect(next("paused", { a: "updated" }, deadline)).toEqual(verb("resume", "abort", "undo"));
  });

  test("at an open gate a run that goes on is promoted", () => {
    const gate = { more: [wave("wave.gate", 1)] };
    expect(next("running", { a: "updated" }, gate)).toEqual(verb("promote", "undo"));
    expect(next("running", {}, gate)).toEqual(verb("promote"));
  });

  test("an undo is not undone", () => {
    const p: Plan = { ...plan, kind: "undo" };
    expect(next("succeeded", { a: "updated" }, { p })).toEqual(["status"]);
  });

  test("installs and conversions go on by themselves, at the host that failed", () => {
    const install: Plan = { ...plan, id: "i-1" };
    const conversion = { ...install, conversion: {} } as Plan;
    expect(next("succeeded", { a: "updated" }, { p: install })).toEqual(["status"]);
    expect(next("failed", FAILED, { p: install })).toEqual([
      "rollout status i-1 --host b",
      "install --continue i-1",
    ]);
    expect(next("paused", {}, { p: conversion })).toEqual([`convert ${plan.hosts[0]?.name} --continue`]);
  });
});
