/** Many silent hosts at once are an outage, not many bad hosts. */
import { describe, expect, test } from "vitest";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import { lostAfterMs } from "../../src/rollout/timing.ts";
import { aHost, anInventory, aPlan, system } from "../support/fleet.ts";
import { aContext, aRun, host, run, T0, wave } from "../support/run.ts";

const MINUTE = 60_000;
const policy = {
  confirmTimeoutMs: MINUTE,
  healthyDeadlineMs: MINUTE,
  progressDeadlineMs: 1e9,
  waves: [{ kind: "percent", pct: 100 } as const],
  maxFailures: { canary: { kind: "count", n: 0 } as const, wave: { kind: "count", n: 0 } as const },
  offline: { policy: "defer" as const, catchUpMs: 1e9, unreachableDeadlineMs: MINUTE },
};
const sites = { a: "gent", b: "gent", c: "brugge", d: "brugge" };
const inventory = anInventory(
  Object.entries(sites).map(([name, site]) => aHost(name, "peer", { site })),
  policy,
);
const plan = aPlan(inventory);

const silent = (name: string): EventBody =>
  host(name, "confirming", {
    from: "confirming",
    failure: { code: "unreachable", message: "no answer", transient: true },
  });
const inFlight = (names: readonly string[]): EventBody[] => [
  run("running"),
  wave("wave.start", 1),
  ...names.flatMap((name) => [
    host(name, "staging", { previous: system(name, "r1") }),
    host(name, "activating", { fence: 1 }),
    host(name, "confirming"),
  ]),
];
const context = aContext({ now: T0 + 40_000 });
const pauses = (...bodies: EventBody[]) =>
  decide(aRun(plan, ...bodies), context).events.filter((e) => e.type === "rollout.state");

describe("an outage", () => {
  test("several hosts of one site at once: its uplink, and nobody is counted as failed", () => {
    expect(pauses(...inFlight(["a", "b"]), silent("a"), silent("b"))).toMatchObject([
      { msg: expect.stringContaining("uplink of gent"), data: { to: "paused", reason: "uplink" } },
    ]);
  });

  test("hosts of several sites at once, nobody answers: this controller is cut off", () => {
    expect(pauses(...inFlight(["a", "c"]), silent("a"), silent("c"))).toMatchObject([
      { msg: expect.stringContaining("is this controller cut off"), data: { reason: "uplink" } },
    ]);
  });

  test("one host alone is that host", () => {
    expect(pauses(...inFlight(["a", "b"]), silent("a"))).toEqual([]);
  });

  test("somebody beside them still answers: those hosts, not the link", () => {
    const check: EventBody = {
      type: "host.check",
      level: "info",
      msg: "",
      host: "b",
      data: { results: [], healthy: true },
    };
    expect(pauses(...inFlight(["a", "b"]), silent("a"), check)).toEqual([]);
    expect(pauses(...inFlight(["a", "b", "c"]), silent("a"), silent("c"), check)).toEqual([]);
  });

  test("hosts that never answered in this run are offline, not lost", () => {
    const never = (name: string): EventBody[] => [
      host(name, "preflight"),
      host(name, "preflight", {
        from: "preflight",
        failure: { code: "unreachable", message: "no answer", transient: true },
      }),
    ];
    expect(pauses(run("running"), wave("wave.start", 1), ...never("a"), ...never("b"))).toEqual([]);
  });

  test("the run goes on by itself when they answer again, and not before", () => {
    const out = [...inFlight(["a", "b"]), silent("a"), silent("b"), run("paused", "uplink")];
    expect(pauses(...out)).toEqual([]);
    const back = ["a", "b"].map((name) => host(name, "confirming", { from: "confirming" }));
    expect(pauses(...out, ...back)).toMatchObject([{ data: { to: "running" } }]);
  });

  test("while it lasts nobody is deferred or given up; after a while the controller lets go", () => {
    const out = aRun(plan, ...inFlight(["a", "b"]), silent("a"), silent("b"), run("paused", "uplink"));
    const later = decide(out, aContext({ now: T0 + 10 * MINUTE }));
    expect(later).toMatchObject({ events: [], effects: [], idle: true });
  });

  test("at once: within the time after which a host counts as lost, of one another", () => {
    const apart = (seconds: number): EventBody[] => {
      const wait = Array.from(
        { length: seconds },
        (): EventBody => ({ type: "diagnostic", level: "info", msg: "", data: { code: "x" } }),
      );
      return [...inFlight(["a", "b"]), silent("a"), ...wait, silent("b")];
    };
    const edge = lostAfterMs(plan.policy) / 1000;
    const later = aContext({ now: T0 + 90_000 });
    const reasons = (bodies: EventBody[]) =>
      decide(aRun(plan, ...bodies), later).events.flatMap((e) =>
        e.type === "rollout.state" ? [e.data.reason] : [],
      );
    expect(reasons(apart(edge - 1))).toEqual(["uplink"]);
    expect(reasons(apart(edge))).toEqual([]);
  });

  test("hosts that are nowhere are in no site together", () => {
    const nowhere = aPlan(
      anInventory(
        ["a", "b", "c"].map((n) => aHost(n, "peer", { site: null })),
        policy,
      ),
    );
    const bodies = [...inFlight(["a", "b", "c"]), silent("a"), silent("b")];
    const { events } = decide(aRun(nowhere, ...bodies), context);
    expect(events.filter((e) => e.type === "rollout.state")).toEqual([]);
  });

  test("of two sites the one that is out, and only its hosts", () => {
    const check: EventBody = {
      type: "host.check",
      level: "info",
      msg: "",
      host: "c",
      data: { results: [], healthy: true },
    };
    const names = pauses(...inFlight(["a", "b", "c", "d"]), silent("d"), silent("a"), silent("b"), check);
    expect(names).toMatchObject([
      { msg: expect.stringMatching(/^(a, b|b, a) fell silent together: the uplink of gent/) },
    ]);
  });

  test("a few of many are named", () => {
    const many = aPlan(
      anInventory(
        Array.from({ length: 7 }, (_, i) => aHost(`h${i}`)),
        policy,
      ),
      { rank: (n) => n },
    );
    const names = many.hosts.map((h) => h.name);
    const { events } = decide(
      aRun(many, ...inFlight(names), ...names.map(silent)),
      aContext({ now: T0 + 60_000 }),
    );
    expect(events.at(-1)?.msg).toMatch(/^h0, h1, h2, h3, h4 fell silent together: the uplink of gent/);
  });

  describe("while it lasts", () => {
    const soaked = (name: string): EventBody[] => [
      host(name, "updated"),
      host(name, "updated", { from: "updated" }),
    ];
    const out = (name: string): EventBody =>
      host(name, "updated", {
        from: "updated",
        failure: { code: "unreachable", message: "no answer", transient: true },
      });
    const asked = (reason: "uplink" | "operator", ...bodies: EventBody[]) =>
      decide(
        aRun(plan, run("running"), wave("wave.start", 1), ...bodies, run("paused", reason)),
        context,
      ).effects.map((e) => `${e.kind} ${e.host}`);
    const bodies = [...soaked("a"), out("a"), ...soaked("b"), host("c", "preflight"), host("d", "staged")];

    test("those it is about are asked whether they are back, and nobody else", () => {
      expect(asked("uplink", ...bodies)).toEqual(expect.arrayContaining(["check a", "observe c"]));
      expect(asked("uplink", ...bodies)).toHaveLength(2);
    });

    test("unlike in a pause of another kind", () => {
      expect(asked("operator", ...bodies)).toEqual([]);
    });
  });
});
