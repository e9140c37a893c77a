/** What failed, in every state: tried again, put off, taken for failed, or somebody else's. */
import { describe, expect, test } from "vitest";
import type { Context } from "../../src/rollout/context.ts";
import type { Effect, Outcome } from "../../src/rollout/effects.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { pollMs } from "../../src/rollout/timing.ts";
import { FAST } from "../support/fleet.ts";
import { at, deadlineOf, iso, MINUTE, NOW, on, PLAN, planWith } from "../support/one-host.ts";
import { host, progress, run } from "../support/run.ts";

describe("it failed", () => {
  const failure = (code: string, transient: boolean) => ({ code, message: "it broke", transient }) as never;
  const failed = (
    state: RolloutState,
    code: string,
    transient: boolean,
    kind: Effect["kind"] = "observe",
    more: Partial<Context> = {},
  ) =>
    on(state, { effect: { kind, host: "a" } as never, ok: false, failure: failure(code, transient) }, more)
      .events;
  const became = (...args: Parameters<typeof failed>) =>
    failed(...args).map((e) => (e.type === "host.state" ? e.data.to : e.type));

  test.each<[HostState, Effect["kind"], string, boolean, HostState | "host.log" | null]>([
    ["preflight", "observe", "unreachable", true, "preflight"],
    ["preflight", "observe", "host-protocol", false, "failed"],
    ["staging", "stage", "unreachable", true, "staging"],
    ["staging", "stage", "copy-failed", false, "failed"],
    ["staging", "stage", "plan-stale", false, "drifted"],
    ["staged", "guard", "host-protocol", false, "staged"],
    ["activating", "activate", "unreachable", true, "activating"],
    ["activating", "activate", "host-protocol", false, "failed"],
    ["activating", "activate", "host-held", false, "deferred"],
    ["activating", "activate", "copy-failed", false, "staging"],
    ["activating", "activate", "plan-stale", false, "drifted"],
    ["activating", "observe", "host-protocol", false, "activating"],
    ["rebooting", "observe", "unreachable", true, "rebooting"],
    ["confirming", "check", "unreachable", true, "confirming"],
    ["committing", "commit", "unreachable", true, "committing"],
    ["committing", "commit", "host-protocol", false, "unknown"],
    ["reverting", "revert", "unreachable", true, "reverting"],
    ["reverting", "revert", "host-protocol", false, "failed"],
    ["unknown", "observe", "unreachable", true, "unknown"],
    ["updated", "check", "unreachable", true, "updated"],
    ["reverted", "evidence", "unreachable", true, "host.log"],
    ["failed", "evidence", "unreachable", true, "host.log"],
    ["pending", "observe", "unreachable", true, null],
    ["deferred", "observe", "unreachable", true, null],
    ["skipped", "observe", "unreachable", true, null],
    ["drifted", "observe", "unreachable", true, null],
  ])("%s: %s ends with %s (transient: %s) -> %s", (state, kind, code, transient, to) => {
    expect(became(at(state), code, transient, kind)).toEqual(to === null ? [] : [to]);
  });

  test("what is tried again is said to be transient, and when", () => {
    expect(failed(at("confirming"), "unreachable", false, "check")).toMatchObject([
      {
        msg: "it broke",
        data: {
          failure: { code: "unreachable", transient: true },
          deadline: iso(NOW + pollMs(PLAN.policy)),
        },
      },
    ]);
    const [backoff] = failed(at("staging"), "unreachable", true, "stage");
    expect(deadlineOf(backoff)).toBeGreaterThanOrEqual(NOW + 10_000);
  });

  test("slower each time, up to sixteen times", () => {
    const tries = (n: number) =>
      Array.from({ length: n }, () =>
        host("a", "confirming", {
          from: "confirming",
          failure: { code: "unreachable", message: "", transient: true },
        }),
      );
    const wait = (n: number) => {
      const [event] = failed(at("confirming", PLAN, ...tries(n)), "unreachable", true, "check");
      return deadlineOf(event) - NOW;
    };
    expect([0, 1, 2, 4, 9].map(wait)).toEqual([1, 2, 4, 16, 16].map((k) => k * pollMs(PLAN.policy)));
  });

  test("a hint stays with its failure", () => {
    const hinted = {
      code: "unreachable",
      message: "it broke",
      hint: "plug it in",
      transient: false,
    } as never;
    const outcome: Outcome = { effect: { kind: "observe", host: "a" }, ok: false, failure: hinted };
    expect(on(at("preflight"), outcome).events).toMatchObject([
      { data: { failure: { hint: "plug it in" } } },
    ]);
    expect(failed(at("preflight"), "x", false)[0]?.data).not.toHaveProperty("failure.hint");
  });

  describe("out of reach for too long before anything changed", () => {
    const out = (plan = PLAN, ...more: EventBody[]) =>
      at(
        "preflight",
        plan,
        host("a", "preflight", { from: "preflight", failure: failure("unreachable", true) }),
        ...more,
      );
    const since = progress(out(), "a").troubleSince ?? 0;

    test("put off at the deadline, not before, and not while an outage is on", () => {
      const late = { now: since + 10 * MINUTE };
      expect(became(out(), "unreachable", true, "observe", { now: late.now - 1 })).toEqual(["preflight"]);
      expect(became(out(), "unreachable", true, "observe", late)).toEqual(["deferred"]);
      expect(became(out(PLAN, run("paused", "uplink")), "unreachable", true, "observe", late)).toEqual([
        "preflight",
      ]);
    });

    test("one that is held or busy waits for its turn, whatever the policy on hosts out of reach", () => {
      const fail = planWith({
        offline: { ...FAST.offline, policy: "fail", unreachableDeadlineMs: 10 * MINUTE },
      });
      const late = { now: since + 10 * MINUTE };
      expect(failed(out(fail), "unreachable", true, "observe", late)).toMatchObject([
        { msg: "out of reach: it broke", data: { to: "failed", failure: { code: "unreachable" } } },
      ]);
      for (const code of ["host-held", "host-busy"])
        expect(failed(out(fail), code, true, "observe", late)).toMatchObject([
          { msg: "it broke", data: { to: "deferred", failure: { code } } },
        ]);
    });
  });

  describe("given up in flight, then tried again in vain: it is what it was, whatever the policy on hosts out of reach", () => {
    const again = (offline: "defer" | "skip" | "fail") =>
      at(
        "unknown",
        planWith({ offline: { ...FAST.offline, policy: offline, unreachableDeadlineMs: 10 * MINUTE } }),
        host("a", "failed", { failure: failure("unreachable", false) }),
        host("a", "pending", {}, 2),
        host("a", "preflight", {}, 2),
        host("a", "preflight", { failure: failure("unreachable", true) }, 2),
      );

    test.each(["defer", "skip", "fail"] as const)("%s", (offline) => {
      const state = again(offline);
      const late = { now: (progress(state, "a").troubleSince ?? 0) + 10 * MINUTE };
      for (const [code, msg] of [
        ["unreachable", "out of reach: it broke"],
        ["host-busy", "it broke"],
      ] as const)
        expect(failed(state, code, true, "observe", late)).toMatchObject([
          { msg, data: { to: "failed", failure: { code, transient: false } } },
        ]);
    });
  });

  describe("another controller has taken it over", () => {
    test.each<[HostState, HostState | "host.log"]>([
      ["preflight", "deferred"],
      ["staged", "deferred"],
      ["activating", "unknown"],
      ["confirming", "unknown"],
      ["updated", "unknown"],
      ["reverted", "host.log"],
      ["failed", "host.log"],
    ])("%s -> %s, and the run pauses", (state, to) => {
      const events = failed(at(state), "host-fenced", true);
      expect(events).toHaveLength(2);
      expect(events[0]).toMatchObject(
        to === "host.log"
          ? {
              type: "host.log",
              host: "a",
              level: "warn",
              data: { lines: [expect.stringContaining("taken a over")] },
            }
          : { data: { to, failure: { code: "host-fenced", transient: false } } },
      );
      expect(events[1]).toMatchObject({ type: "rollout.state", data: { to: "paused", reason: "lease" } });
    });

    test("once: a run that is paused or ends is left as it is", () => {
      expect(failed(at("confirming", PLAN, run("paused", "operator")), "host-fenced", true)).toHaveLength(1);
      expect(failed(at("confirming", PLAN, run("aborting")), "host-fenced", true)).toHaveLength(1);
      expect(failed(at("confirming", PLAN, run("baking")), "host-fenced", true)).toHaveLength(2);
    });
  });
});
