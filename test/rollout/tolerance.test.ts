/** How many may fail: slots open as hosts prove the release, and too many failures stop the run. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/plan/model.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import { base, began, blockOf, busy, limitOf, planWith, tolerating, touched } from "../support/limited.ts";
import { aContext, aRun, host, run, T0, wave } from "../support/run.ts";

describe("slow start", () => {
  const opens = (plan: Plan, bodies: readonly EventBody[]) => limitOf(plan, bodies, "b1") !== "slow start";
  const done = (...names: string[]) => names.flatMap((name) => touched(name, "updated"));
  const failed = (...names: string[]) => names.flatMap((name) => touched(name, "reverted"));

  test("one more than may still fail, and one for every host that is done", () => {
    const plan = planWith({}, tolerating(1));
    expect(opens(plan, busy("a1"))).toBe(true);
    expect(opens(plan, busy("a1", "a2"))).toBe(false);
    expect(opens(plan, [...busy("a1", "a2"), ...done("a3")])).toBe(true);
    expect(opens(plan, [...busy("a1", "a2", "b2"), ...done("a3")])).toBe(false);
  });

  test("what failed takes from it, but never what other hosts proved", () => {
    const plan = planWith({}, tolerating(1));
    expect(opens(plan, [...failed("a3"), ...busy("a1")])).toBe(false);
    expect(opens(plan, failed("a3"))).toBe(true);
    expect(opens(plan, [...failed("a1", "a2", "a3"), ...done("b2")])).toBe(true);
    expect(opens(plan, [...failed("a1", "a2", "a3")])).toBe(false);
  });

  test("hosts of other waves are none of its business", () => {
    expect(opens(planWith({}, tolerating(0)), busy("g2"))).toBe(true);
  });

  test("not on the way back, nor where failures are not to stop anything, nor between waves", () => {
    const plan = planWith({}, tolerating(0));
    const back = aRun(plan, ...began, ...busy("a1"), run("rolling_back"));
    expect(blockOf(back, "b1")).toBeNull();
    const policy = { ...base.policy, onFailure: "continue" as const };
    expect(opens({ ...plan, policy }, busy("a1", "a2"))).toBe(true);
    expect(blockOf(aRun(plan, run("running")), "b1")?.limit).toBe("slow start");
  });
});

describe("stop when failures >", () => {
  const context = aContext({ now: T0 + 100_000 });
  const verdict = (plan: Plan, ...bodies: EventBody[]) =>
    decide(aRun(plan, ...bodies), context).events.filter((e) => e.type === "rollout.state");
  const failed = (...names: string[]) => names.map((name) => host(name, "failed"));

  test.each([
    [1, ["a1"], false],
    [1, ["a1", "a2"], true],
    [0, ["a1"], true],
  ] as const)("%i in a wave: %j", (tolerated, names, stops) => {
    const events = verdict(planWith({}, tolerating(tolerated)), ...began, ...failed(...names));
    expect(events).toMatchObject(
      stops
        ? [
            {
              msg: `${names.length} failed in wave 1 (100 %), ${tolerated} tolerated: nothing new is started`,
              level: "warn",
              data: {
                from: "running",
                to: "paused",
                reason: "failures",
                detail: `${names.length} failed in wave 1 (100 %), ${tolerated} tolerated`,
              },
            },
          ]
        : [],
    );
  });

  test("the whole run goes back instead, or goes on, when the policy says so", () => {
    const plan = planWith({}, tolerating(0));
    const saying = (onFailure: "rollback" | "continue") => ({
      ...plan,
      policy: { ...plan.policy, onFailure },
    });
    expect(verdict(saying("rollback"), ...began, ...failed("a1"))).toMatchObject([
      {
        msg: expect.stringContaining("every updated host goes back"),
        data: { to: "rolling_back", reason: "failures" },
      },
    ]);
    expect(verdict(saying("continue"), ...began, ...failed("a1"))).toEqual([]);
  });

  test.each([
    [1, ["a1", "b1"], null],
    [1, ["a1", "a2"], "2 failed in site gent, 1 tolerated"],
    [1, ["n1", "n2"], null],
    [0, ["b1"], "1 failed in site brugge, 0 tolerated"],
  ] as const)("%i in a site: %j", (maxFailuresPerSite, names, where) => {
    const events = verdict(planWith({ maxFailuresPerSite }), ...began, ...failed(...names));
    expect(events.map((e) => e.msg.split(": ")[0])).toEqual(where === null ? [] : [where]);
  });

  test("earlier waves count, later ones do not yet", () => {
    const plan = planWith({}, tolerating(0));
    expect(verdict(plan, ...began, ...failed("g1"))).toEqual([]);
    const next = [...began, wave("wave.end", 1), wave("wave.start", 2)];
    expect(verdict(plan, ...next, ...failed("a1"))).toMatchObject([
      { msg: expect.stringContaining("wave 1") },
    ]);
  });

  test("failures that were promoted past do not count, until the host fails again", () => {
    const plan = planWith({ maxFailuresPerSite: 0 }, tolerating(0));
    const past: EventBody = {
      type: "rollout.command",
      level: "info",
      msg: "",
      data: { command: "promote", by: "ann" },
    };
    const accepted = [...began, ...failed("a1"), run("paused", "failures"), past, run("running")];
    expect(verdict(plan, ...accepted)).toEqual([]);
    expect(verdict(plan, ...accepted, host("a1", "failed", {}, 2))).toHaveLength(1);
  });
});
