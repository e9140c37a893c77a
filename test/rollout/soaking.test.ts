/** While a wave soaks: who is looked at, and what keeps its gate shut. */
import { describe, expect, test } from "vitest";
import type { Context } from "../../src/rollout/context.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import {
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
import { host, T0, wave } from "../support/run.ts";

describe("while a wave soaks", () => {
  const soaking = [...began, ...is("a", "updated"), wave("wave.soak", 1)];
  const before = { now: SOAKED - 1 };
  const after = { now: SOAKED };

  test("its gate stays shut to the millisecond", () => {
    expect(says(PLAN, soaking, before)).toEqual([]);
    expect(go(PLAN, soaking, after).events).toMatchObject([
      { type: "wave.gate", wave: 1, msg: "gate after wave 1 (canary) is open", data: { verdict: "open" } },
    ]);
    expect(go(MANUAL, soaking, after).events).toMatchObject([
      { msg: "gate after wave 1 (canary) waits for promotion", data: { verdict: "waiting" } },
    ]);
  });

  test("longer while a host that turned bad goes back; not at all when nobody is left to watch", () => {
    expect(says(PLAN, [...soaking, ...is("a", "reverting")], after)).toEqual([]);
    const tolerant = planWith({
      maxFailures: { canary: { kind: "count", n: 1 }, wave: { kind: "count", n: 1 } },
    });
    const evidence: EventBody = { type: "host.log", level: "info", msg: "", host: "a", data: { lines: [] } };
    expect(says(tolerant, [...soaking, ...is("a", "reverted"), evidence], before)).toEqual(["wave.gate"]);
  });

  test("a host that fell silent keeps it shut, until it counts as failed", () => {
    const out = [...soaking, silent("a")];
    const giveUp = SOAKED + 3 * MINUTE;
    expect(says(PLAN, out, after)).toEqual([]);
    expect(says(PLAN, out, { now: giveUp - 1 })).toEqual([]);
    expect(go(PLAN, out, { now: giveUp }).events).toMatchObject([
      {
        type: "host.state",
        host: "a",
        data: {
          to: "failed",
          failure: { code: "unreachable", transient: false, hint: expect.stringContaining("retry r-1") },
        },
      },
    ]);
    // It answers again: all is well.
    expect(says(PLAN, [...out, host("a", "updated", { from: "updated" })], { now: giveUp })).toEqual([
      "wave.gate",
    ]);
  });

  describe("its hosts are looked at", () => {
    const at = T0 + (soaking.length - 1) * 1000; // when `a` was last heard of
    const checks = (bodies: readonly EventBody[], more: Partial<Context>) =>
      go(PLAN, bodies, more).effects.map((e) => `${e.kind} ${e.host}`);
    const pace = 30_000;

    test("at a steady pace", () => {
      expect(checks(soaking, { now: at + pace - 1 })).toEqual([]);
      expect(go(PLAN, soaking, { now: at + pace - 1 }).wakeAt).toBe(at + pace);
      expect(go(PLAN, soaking, { now: at + pace }).effects).toEqual([
        { kind: "check", host: "a", soaking: true },
      ]);
    });

    test("one at a time, and at once when the clock was set back", () => {
      expect(checks(soaking, { now: at + pace, inFlight: new Map([["a", "check"]]) })).toEqual([]);
      expect(checks(soaking, { now: at - 1 })).toEqual(["check a"]);
    });

    test("when it is due again after an answer that did not come", () => {
      const later = host("a", "updated", {
        from: "updated",
        failure: { code: "unreachable", message: "", transient: true },
        deadline: iso(at + 5 * MINUTE),
      });
      expect(checks([...soaking, later], { now: at + 5 * MINUTE - 1 })).toEqual([]);
      expect(checks([...soaking, later], { now: at + 5 * MINUTE })).toEqual(["check a"]);
    });

    test("those of this wave only, and only while they run the new system", () => {
      const now = SOAKED - 1;
      const two = [
        ...second,
        ...is("b", "updated"),
        ...is("c", "deferred"),
        ...is("d", "skipped"),
        wave("wave.soak", 2),
      ];
      expect(checks(two, { now })).toEqual(["check b"]);
    });

    test("when it is over there is no more to watch", () => {
      expect(go(PLAN, [...soaking, wave("wave.gate", 1)], { now: at + pace }).effects).toEqual([]);
    });
  });
});
