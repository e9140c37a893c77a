/** The first look at a host: is there anything to do, and may it be done? */
import { describe, expect, test } from "vitest";
import type { Observation } from "../../src/host/protocol.ts";
import type { Context } from "../../src/rollout/context.ts";
import type { HostState } from "../../src/rollout/events.ts";
import { system } from "../support/fleet.ts";
import { at, FROM, file, looked, on, PLAN, TO } from "../support/one-host.ts";
import { anObservation, host } from "../support/run.ts";

describe("the first look", () => {
  const first = (seen: Observation, plan = PLAN, more: Partial<Context> = {}) =>
    on(at("preflight", plan), looked(seen), more).events;

  test("what is missing is copied, and what there was is remembered", () => {
    const seen = anObservation(FROM, { failedUnits: ["old.service"], bootId: "boot-7" });
    expect(first(seen)).toMatchObject([
      {
        type: "host.state",
        host: "a",
        attempt: 1,
        level: "info",
        data: {
          from: "preflight",
          to: "staging",
          previous: FROM,
          baselineFailed: ["old.service"],
          detail: { bootId: "boot-7", storeFreeKiB: 1e6 },
        },
      },
    ]);
  });

  test.each<[string, Observation, HostState]>([
    ["runs it already, for good", anObservation(TO), "skipped"],
    ["runs it, but would not after a restart", anObservation(TO, { profile: FROM }), "staging"],
    ["would run it after a restart", anObservation(FROM, { profile: TO }), "staging"],
    [
      "is held",
      anObservation(FROM, { hold: { by: "ann", reason: "disk" } as Observation["hold"] }),
      "deferred",
    ],
    [
      "is locked",
      anObservation(FROM, { lock: { by: "ann", reason: "disk" } as Observation["lock"] }),
      "deferred",
    ],
    ["runs something else", anObservation(system("a", "r9")), "drifted"],
  ])("it %s", (_what, seen, to) => {
    expect(first(seen)).toMatchObject([{ data: { to } }]);
  });

  test("it runs it already, as its own record of an earlier attempt confirms, or as somebody else left it", () => {
    const again = (record: ReturnType<typeof file>) =>
      on(at("preflight", PLAN, host("a", "preflight", {}, 2)), looked(anObservation(TO, { state: record })))
        .events;
    expect(again(file("committed"))).toMatchObject([
      { data: { to: "skipped", detail: { confirmed: true } } },
    ]);
    for (const record of [file("committed", { rollout: "r-0" }), file("reverted")])
      expect(again(record)[0]?.data).toEqual({ from: "preflight", to: "skipped" });
  });

  test("who holds it, and why, is said", () => {
    const hold = { by: "ann", reason: "new disk", until: 0 };
    const lock = { by: "ann", reason: "new disk", since: 0 };
    expect(first(anObservation(FROM, { hold }))).toMatchObject([
      { msg: "held by ann: new disk", level: "warn" },
    ]);
    expect(first(anObservation(FROM, { lock }))).toMatchObject([{ msg: "locked by ann: new disk" }]);
  });

  test("something else is taken with --force, or when nothing was known of it", () => {
    const seen = anObservation(system("a", "r9"));
    expect(first(seen, { ...PLAN, force: true })).toMatchObject([{ data: { to: "staging" } }]);
    const unknown = { ...PLAN, hosts: PLAN.hosts.map((h) => ({ ...h, from: null })) };
    expect(first(seen, unknown)).toMatchObject([{ data: { to: "staging" } }]);
    expect(first(seen)).toMatchObject([
      {
        data: { failure: { code: "plan-stale", transient: false, hint: expect.stringContaining("--force") } },
      },
    ]);
  });

  test("an attempt that its record says is further than the journal is taken up there", () => {
    const seen = anObservation(TO, { profile: FROM, state: file("activated"), revertArmed: true });
    expect(first(seen)).toMatchObject([{ data: { to: "confirming" } }]);
    expect(first(anObservation(TO, { state: file("committed") }))).toMatchObject([
      { data: { to: "updated" } },
    ]);
  });

  test("one that is over says nothing about this one", () => {
    const reverted = anObservation(FROM, { state: file("reverted") });
    expect(first(reverted)).toMatchObject([{ data: { to: "staging" } }]);
    for (const other of [{ attempt: 9 }, { rollout: "r-0" }]) {
      const seen = anObservation(FROM, { state: file("committed", other) });
      expect(first(seen)).toMatchObject([{ data: { to: "staging" } }]);
    }
  });

  test("one that another run is still at is waited for", () => {
    const seen = anObservation(FROM, { state: file("activated", { rollout: "r-0" }), revertArmed: true });
    expect(first(seen)).toMatchObject([
      {
        data: {
          to: "preflight",
          failure: { code: "host-busy", message: expect.stringContaining("of r-0"), transient: true },
        },
      },
    ]);
  });
});
