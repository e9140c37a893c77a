/** Who is looked at, copied to and asked about next; windows that close, open, and are too short. */
import { describe, expect, test } from "vitest";
import type { Host } from "../../src/inventory/model.ts";
import type { Limits } from "../../src/plan/model.ts";
import type { MaintenanceWindow, Policy } from "../../src/plan/policy.ts";
import type { Context } from "../../src/rollout/context.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import { obstacle } from "../../src/rollout/slots.ts";
import { aHost, anInventory, aPlan, FAST, system } from "../support/fleet.ts";
import { aContext, aRun, host, run, T0, wave } from "../support/run.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const count = (n: number) => ({ kind: "count", n }) as const;
const iso = (ms: number) => new Date(ms).toISOString();

const FLEET: readonly Host[] = [
  aHost("a"),
  aHost("b"),
  aHost("c", "peer", { site: "brugge" }),
  aHost("d", "peer", { site: null }),
  aHost("e", "peer", { site: null }),
];
const planWith = (
  limits: Partial<Limits> = {},
  policy: Partial<Policy> = {},
  windows: readonly MaintenanceWindow[] = [],
) => {
  const plan = aPlan(
    anInventory(FLEET, {
      canary: { ...FAST.canary, count: count(0) },
      waves: [{ kind: "percent", pct: 100 }],
      maxFailures: { canary: count(9), wave: count(9) },
      maxParallel: count(9),
      maxUnavailable: { fleet: count(9), clusters: {} },
      confirmTimeoutMs: 20 * MINUTE,
      minHealthyTimeMs: 10 * MINUTE,
      healthyDeadlineMs: 30 * MINUTE,
      progressDeadlineMs: 8 * HOUR,
      windows,
      ...policy,
    }),
    { rank: (name) => name },
  );
  return { ...plan, limits: { ...plan.limits, copying: 99, copyingPerSite: 99, ...limits } };
};
const PLAN = planWith();
const began = [run("running"), wave("wave.start", 1)];
const staged = (...names: string[]) =>
  names.flatMap((name) => [host(name, "staging", { previous: system(name, "r1") }), host(name, "staged")]);
const is = (state: HostState, ...names: string[]) => names.map((name) => host(name, state));
const go = (plan: typeof PLAN, bodies: readonly EventBody[], more: Partial<Context> = {}) =>
  decide(aRun(plan, ...began, ...bodies), aContext(more));
const looks = (...args: Parameters<typeof go>) =>
  go(...args).events.flatMap((e) => (e.type === "host.state" && e.data.to === "preflight" ? [e.host] : []));
const asks = (...args: Parameters<typeof go>) =>
  go(...args).effects.flatMap((e) => (e.kind === "guard" ? [e.host] : []));

describe("looking and copying", () => {
  test("everybody at once, where there is room", () => {
    expect(looks(PLAN, [])).toEqual(["a", "b", "c", "d", "e"]);
    expect(looks(PLAN, [], { inFlight: new Map([["b", "observe"]]) })).toEqual(["a", "c", "d", "e"]);
  });

  test.each([
    [0, []],
    [1, ["a"]],
    [3, ["a", "b", "c"]],
  ])("%i at a time", (copying, names) => {
    expect(looks(planWith({ copying }), [])).toEqual(names);
  });

  test("who takes up room since an earlier attempt is looked at, whatever its wave", () => {
    const waves = [40, 100].map((pct) => ({ kind: "percent", pct }) as const);
    const ladder = planWith({ maxUnavailable: 1 }, { waves });
    const [first = [], [later = ""] = []] = ladder.waves.map((w) => w.hosts);
    const silent = { code: "unreachable", message: "silent", transient: false };
    const returning = [
      host(later, "activating", { fence: 3 }),
      host(later, "failed", { failure: silent }),
      host(later, "pending", {}, 2),
    ];
    expect(looks(ladder, staged(...first))).toEqual([]);
    expect(looks(ladder, [...staged(...first), ...returning])).toEqual([later]);
    expect(looks(ladder, [...staged(...first), ...returning, host(later, "preflight", {}, 2)])).toEqual([]);
  });

  test("those under way count, of any kind; those who are done do not", () => {
    const three = planWith({ copying: 3 });
    expect(looks(three, is("preflight", "a"))).toEqual(["b", "c"]);
    expect(looks(three, [...is("preflight", "a"), ...is("staging", "b")])).toEqual(["c"]);
    expect(looks(three, is("preflight", "a", "b", "c"))).toEqual([]);
    expect(looks(three, staged("a"))).toEqual(["b", "c", "d"]);
  });

  test("so many in each site; hosts without a site are in nobody's way", () => {
    const one = planWith({ copyingPerSite: 1 });
    expect(looks(one, [])).toEqual(["a", "c", "d", "e"]);
    expect(looks(one, is("staging", "b"))).toEqual(["c", "d", "e"]);
    expect(looks(planWith({ copyingPerSite: 2 }), is("staging", "b"))).toEqual(["a", "c", "d", "e"]);
    // A site's own uplink says it better.
    const site = PLAN.hosts.find((h) => h.name === "b")?.site ?? "";
    const thin = planWith({ copyingPerSite: 2, copyingBySite: { [site]: 1 } });
    expect(looks(thin, is("staging", "b"))).toEqual(["c", "d", "e"]);
  });

  test("before anybody is activated, and nobody of the next wave", () => {
    expect(go(PLAN, staged("a")).effects).toEqual([]);
    const two = planWith(
      {},
      {
        waves: [
          { kind: "percent", pct: 40 },
          { kind: "percent", pct: 100 },
        ],
      },
    );
    expect(looks(two, [])).toEqual(["a", "b"]);
  });
});

describe("asking whether a host may be activated", () => {
  const all = staged("a", "b", "c", "d", "e");

  test("all that are staged, where there is room", () => {
    expect(asks(PLAN, all)).toEqual(["a", "b", "c", "d", "e"]);
    expect(asks(PLAN, all, { inFlight: new Map([["b", "guard"]]) })).toEqual(["a", "c", "d", "e"]);
    expect(asks(planWith({ maxParallel: 2 }), all)).toEqual(["a", "b"]);
    expect(asks(planWith({ maxParallel: 2 }), all, { inFlight: new Map([["b", "guard"]]) })).toEqual(["a"]);
    expect(asks(planWith({ activatingPerSite: 1 }), all)).toEqual(["a", "c", "d", "e"]);
  });

  test("not before it is due again, and then", () => {
    const due = T0 + 3 * MINUTE;
    const later = host("a", "staged", {
      from: "staged",
      failure: { code: "needs-human", message: "", transient: true },
      deadline: iso(due),
    });
    const before = go(PLAN, [...all, later], { now: due - 1 });
    expect(before.effects.map((e) => e.host)).toEqual(["b", "c", "d", "e"]);
    expect(before.wakeAt).toBe(due);
    expect(asks(PLAN, [...all, later], { now: due })).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("what keeps the first one waiting, for people", () => {
    const nowhere = { role: "peer", site: null, cluster: null, via: null } as const;
    const why = (limits: Partial<Limits>, bodies: readonly EventBody[]) =>
      obstacle(aRun(planWith(limits), ...began, ...bodies), aContext());
    expect(why({ maxParallel: 0 }, staged("b", "c"))).toBe("b waits: max-parallel");
    expect(why({}, staged("b"))).toBeNull();
    expect(why({ maxParallel: 0 }, [])).toBeNull();
    const lost = { failure: { code: "unreachable", message: "", transient: false } };
    const givenUp = [...staged("a"), host("a", "activating", { fence: 3 }), host("a", "failed", lost)];
    expect(why({ maxUnavailable: 1 }, [...givenUp, ...staged("b")])).toBe(
      "b waits: max-unavailable; given up and not seen at rest since: a",
    );
    const left = ["z", "y", "x", "w", "v", "u"].map((name) => [name, { name, ...nowhere }] as const);
    const crowded = aRun(planWith({ maxUnavailable: 1 }), ...began, ...staged("b"));
    expect(obstacle(crowded, aContext({ elsewhere: new Map(left) }))).toBe(
      "b waits: max-unavailable; in flight for other runs, or left so: z, y, x, w, v …",
    );
  });
});

describe("maintenance windows", () => {
  // T0 is a Monday, 12:00 UTC. The work takes half an hour.
  const window = (start: string, minutes: number): MaintenanceWindow => ({
    days: [],
    start,
    lengthMs: minutes * MINUTE,
    tz: "UTC",
  });
  const clock = (hour: number, minute = 0) => Date.UTC(2026, 0, 5, hour, minute);
  const all = staged("a", "b", "c", "d", "e");
  const at = (windows: readonly MaintenanceWindow[], now: number, bodies: readonly EventBody[] = all) =>
    go(planWith({}, {}, windows), bodies, { now });
  const pausedUntil = (verdict: ReturnType<typeof at>) => {
    const [event] = verdict.events;
    return event?.type === "rollout.state" && event.data.to === "paused" && event.data.reason === "window"
      ? (/\d\d:\d\d(?=:\d\d\.000Z$)/.exec(event.data.detail ?? "")?.[0] ?? event.data.detail)
      : null;
  };

  test("open, with time enough: everybody goes", () => {
    expect(at([window("12:00", 60)], clock(12, 30)).effects).toHaveLength(5);
  });

  test("closed, or open for too short: the run pauses until the next that is long enough", () => {
    expect(pausedUntil(at([window("14:00", 60)], clock(12, 30)))).toBe("14:00");
    expect(pausedUntil(at([window("12:00", 60), window("15:00", 60)], clock(12, 31)))).toBe("15:00");
    expect(pausedUntil(at([window("13:00", 29), window("15:00", 30)], clock(12, 31)))).toBe("15:00");
  });

  test("never long enough, in a plan that was made all the same: it says so, and waits for a person", () => {
    const plan = planWith({});
    const never = { ...plan, hosts: plan.hosts.map((h) => ({ ...h, windows: [window("13:00", 29)] })) };
    expect(pausedUntil(go(never, all, { now: clock(12, 31) }))).toBe(
      "no maintenance window is long enough for 30 min",
    );
  });

  test("of several sites the first one to open ends the wait; one without a window long enough is not waited for", () => {
    const bySite = (windows: Record<string, readonly MaintenanceWindow[]>) => {
      const plan = planWith();
      const hosts = plan.hosts.map((h) => ({ ...h, windows: windows[h.site ?? "none"] ?? [] }));
      return pausedUntil(go({ ...plan, hosts }, all, { now: clock(12, 31) }));
    };
    const late = [window("16:00", 60)];
    expect(bySite({ gent: late, brugge: [window("14:00", 60)], none: late })).toBe("14:00");
    expect(bySite({ gent: [window("14:00", 60)], brugge: late, none: late })).toBe("14:00");
    expect(bySite({ gent: [window("14:00", 29)], brugge: late, none: late })).toBe("16:00");
    expect(bySite({ gent: late, brugge: late })).toBeNull();
  });

  test("looking and copying go on meanwhile", () => {
    const some = staged("a", "b");
    expect(at([window("14:00", 60)], clock(12, 30), some).events.map((e) => e.type)).toEqual(
      ["c", "d", "e"].map(() => "host.state"),
    );
  });

  test("hosts in a window go, others wait for theirs", () => {
    const plan = planWith();
    const hosts = plan.hosts.map((h) => ({ ...h, windows: h.site === "gent" ? [window("14:00", 60)] : [] }));
    const verdict = go({ ...plan, hosts }, all, { now: clock(12, 30) });
    expect(verdict.effects.map((e) => e.host)).toEqual(["c", "d", "e"]);
    expect(verdict.wakeAt).toBe(clock(14));
  });

  describe("a run paused for one", () => {
    const waiting = (until: string | undefined, now: number, more: Partial<Context> = {}) =>
      go(PLAN, [...all, run("paused", "window", until)], { now, ...more });

    test("goes on by itself when it opens", () => {
      expect(waiting(iso(clock(14)), clock(14) - 1)).toEqual({
        events: [],
        effects: [],
        idle: false,
        wakeAt: clock(14),
      });
      expect(waiting(iso(clock(14)), clock(14)).events).toMatchObject([
        { msg: "a maintenance window is open", data: { from: "paused", to: "running" } },
      ]);
      expect(waiting(iso(clock(14)), clock(14), { draining: true })).toMatchObject({
        events: [],
        idle: true,
      });
    });

    test("never, when none is long enough; and no other pause ends so", () => {
      expect(waiting(undefined, clock(23))).toMatchObject({
        events: [],
        idle: true,
      });
      const operator = run("paused", "operator", iso(clock(13)));
      expect(go(PLAN, [...all, operator], { now: clock(14) })).toMatchObject({ events: [], idle: true });
    });
  });
});

describe("no progress", () => {
  test("the run pauses after the deadline and the soak of its wave, not counting time without a controller", () => {
    const going = [...staged("a"), host("a", "activating", { fence: 7 }), ...staged("b")];
    const plan = planWith(
      {},
      { progressDeadlineMs: HOUR, soak: { canaryMs: 0, waveMs: [MINUTE] }, confirmTimeoutMs: 8 * HOUR },
    );
    const pauses = (more: Partial<Context>) =>
      go(plan, going, more).events.flatMap((e) => (e.type === "rollout.state" ? [e.data.reason] : []));
    const since = aRun(plan, ...began, ...going).progressAt;
    const deadline = since + HOUR + MINUTE;
    expect(pauses({ now: deadline })).toEqual([]);
    expect(pauses({ now: deadline + 1 })).toEqual(["deadline"]);
    expect(pauses({ now: deadline + 1, resumedAt: since + 1 })).toEqual([]);
    const idle = is("deferred", "c", "d", "e");
    const quiet = go(plan, [...going, ...idle], {
      now: T0 + MINUTE,
      inFlight: new Map([
        ["a", "activate"],
        ["b", "guard"],
      ]),
    });
    expect(quiet).toMatchObject({ events: [], effects: [], wakeAt: deadline + 1 });
  });

  test("time without a window is none, but what passed while one was open adds up", () => {
    const DAY = 24 * HOUR;
    const policy = { progressDeadlineMs: HOUR, soak: { canaryMs: 0, waveMs: [0] } };
    const nightly = planWith({ maxUnavailable: 0 }, policy);
    const waiting = [...is("deferred", "b", "c", "d", "e"), ...staged("a")];
    const closed = (quietMs: number): EventBody[] => [
      {
        ...run("paused", "window"),
        data: { from: "running", to: "paused", reason: "window", quietMs },
      } as EventBody,
      run("running"),
    ];
    const opened = aRun(nightly, ...began, ...waiting, ...closed(40 * MINUTE)).progressAt + 40 * MINUTE;
    const reasons = (quietMs: number, now: number, resumedAt = T0 - DAY) =>
      go(nightly, [...waiting, ...closed(quietMs)], { now, resumedAt }).events.map(
        (e) => e.type === "rollout.state" && e.data.reason,
      );
    expect(reasons(40 * MINUTE, opened + 20 * MINUTE)).toEqual([]);
    expect(reasons(40 * MINUTE, opened + 20 * MINUTE + 1)).toEqual(["deadline"]);
    expect(reasons(0, opened + 20 * MINUTE + 1)).toEqual([]);
    expect(reasons(40 * MINUTE, opened + DAY, opened + DAY)).toEqual([]);
  });
});

describe("draining", () => {
  test("nothing new begins; what is in flight is seen to its end, and then the controller may go", () => {
    const going = [...staged("a", "b"), host("a", "activating", { fence: 7 })];
    const drain = go(PLAN, [...going, ...is("preflight", "c")], { draining: true, now: T0 + 5 * MINUTE });
    expect(drain.effects).toEqual([{ kind: "observe", host: "a" }]);
    expect(drain).toMatchObject({ events: [], idle: false });
    expect(go(PLAN, staged("a", "b"), { draining: true })).toMatchObject({
      events: [],
      effects: [],
      idle: true,
    });
    const busy = { draining: true, inFlight: new Map([["c", "stage" as const]]) };
    expect(go(PLAN, staged("a", "b"), busy)).toMatchObject({ events: [], effects: [], idle: false });
  });

  test("paused by an operator: hosts in flight are seen to their end, preparations stop", () => {
    const going = [
      ...staged("a"),
      host("a", "activating", { fence: 7 }),
      ...is("staging", "c"),
      run("paused", "operator"),
    ];
    const verdict = go(PLAN, going, { now: T0 + 5 * MINUTE });
    expect(verdict.effects).toEqual([{ kind: "observe", host: "a" }]);
    expect(verdict.idle).toBe(false);
  });

  test("evidence is asked for once, also of a paused run, of hosts that were touched", () => {
    const failed = [
      ...staged("a"),
      host("a", "activating", { fence: 7 }),
      host("a", "reverted"),
      host("b", "failed"),
      run("paused", "failures"),
    ];
    expect(go(PLAN, failed).effects).toEqual([{ kind: "evidence", host: "a" }]);
    const log: EventBody = { type: "host.log", level: "info", msg: "", host: "a", data: { lines: [] } };
    expect(go(PLAN, [...failed, log])).toMatchObject({ effects: [], idle: true });
  });
});
