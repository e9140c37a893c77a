/** A rollout that goes back as a whole: who is asked about when, and how it ends. */
import { describe, expect, test } from "vitest";
import type { Context } from "../../src/rollout/context.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import { aHost, anInventory, aPlan, FAST, system } from "../support/fleet.ts";
import { aContext, aRun, host, run, T0, wave } from "../support/run.ts";

const HOUR = 3_600_000;
const count = (n: number) => ({ kind: "count", n }) as const;
const plan = aPlan(
  anInventory(
    ["a", "b", "c"].map((n) => aHost(n)),
    {
      canary: { ...FAST.canary, count: count(1) },
      waves: [{ kind: "percent", pct: 100 }],
      maxParallel: count(2),
      maxUnavailable: { fleet: count(9), clusters: {} },
      progressDeadlineMs: HOUR,
      confirmTimeoutMs: 10 * HOUR,
    },
  ),
  { rank: (name) => name },
);
const is = (name: string, state: HostState): EventBody[] => [
  host(name, "staging", { previous: system(name, "r1") }),
  host(name, "activating", { fence: 1 }),
  host(name, state),
];
const log = (name: string): EventBody => ({
  type: "host.log",
  level: "info",
  msg: "",
  host: name,
  data: { lines: [] },
});
const back = (...bodies: EventBody[]) =>
  aRun(plan, run("running"), wave("wave.start", 1), ...bodies, run("rolling_back", "failures"));
const go = (state: ReturnType<typeof back>, more: Partial<Context> = {}) => decide(state, aContext(more));
const asked = (...args: Parameters<typeof go>) =>
  go(...args).effects.flatMap((e) => (e.kind === "guard" ? [e.host] : []));
const all = ["a", "b", "c"].flatMap((name) => is(name, "updated"));

describe("hosts that were updated", () => {
  test("are asked about, as many as may go at once", () => {
    expect(asked(back(...all))).toEqual(["a", "b"]);
    expect(asked(back(...all), { inFlight: new Map([["a", "guard"]]) })).toEqual(["b"]);
    expect(asked(back(...all), { inFlight: new Map([["a", "check"]]) })).toEqual(["b", "c"]);
    expect(asked(back(...all, ...is("c", "reverting")))).toEqual(["a"]);
  });

  test("are not asked about when nothing is known that they could go back to", () => {
    expect(asked(back(host("a", "updated"), ...is("b", "updated")))).toEqual(["b"]);
  });

  test("wait when their guards did not agree, and are asked about again", () => {
    const due = T0 + HOUR / 2;
    const waits = host("a", "updated", {
      from: "updated",
      failure: { code: "needs-human", message: "", transient: true },
      deadline: new Date(due).toISOString(),
    });
    const before = go(back(...all, waits), { now: due - 1 });
    expect(before.effects.map((e) => e.host)).toEqual(["b", "c"]);
    expect(before.wakeAt).toBe(due);
    expect(asked(back(...all, waits), { now: due })).toEqual(["a", "b"]);
  });
});

describe("it ends", () => {
  const ends = (...args: Parameters<typeof go>) =>
    go(...args).events.flatMap((e) => (e.type === "rollout.state" ? [e.data.to] : []));
  const gone = [...is("a", "reverted"), log("a"), ...is("b", "reverted"), log("b")];

  test("rolled back, when everybody is", () => {
    expect(ends(back(...gone))).toEqual(["rolled_back"]);
    expect(ends(back(...gone, ...is("c", "reverting")))).toEqual([]);
  });

  test("not everybody could: a host failed on the way", () => {
    expect(ends(back(...gone, ...is("c", "failed"), log("c")))).toEqual(["rollback_failed"]);
  });

  test("not everybody could: guards did not agree for as long as its waves would have taken", () => {
    const state = back(...gone, ...is("c", "updated"));
    const giveUp = state.statusAt + HOUR * plan.waves.length;
    expect(plan.waves.length).toBe(2);
    expect(ends(state, { now: giveUp })).toEqual([]);
    expect(asked(state, { now: giveUp })).toEqual(["c"]);
    expect(go(state, { now: giveUp, inFlight: new Map([["c", "guard"]]) })).toMatchObject({
      events: [],
      effects: [],
      wakeAt: giveUp + 1,
    });
    expect(ends(state, { now: giveUp + 1 })).toEqual(["rollback_failed"]);
    const busy = back(...gone.slice(4), ...is("a", "reverting"), ...is("c", "updated"));
    expect(ends(busy, { now: giveUp + 1 })).toEqual([]);
    expect(asked(busy, { now: giveUp + 1 })).toEqual([]);
  });
});
