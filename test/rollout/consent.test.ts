/** Hosts whose owners say "not now": waited for, then left for later; never failed, never forced. */
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/kernel/clock.ts";
import { startRun } from "../../src/rollout/begin.ts";
import { failureVerdict } from "../../src/rollout/budgets.ts";
import { isUnavailable } from "../../src/rollout/classes.ts";
import { decide } from "../../src/rollout/decide.ts";
import { drive } from "../../src/rollout/engine.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { replay } from "../../src/rollout/state.ts";
import { summarize } from "../../src/rollout/summary.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { FakeFleet } from "../support/fake-driver.ts";
import { aHost, anInventory, aPlan, FAST, system } from "../support/fleet.ts";
import { at, began, deadlineOf, done, iso, MINUTE, NOW, on, planWith, staging } from "../support/one-host.ts";
import { aContext, aRun, host, progress, T0 } from "../support/run.ts";

/** Whose policy waits for a host for ten minutes. */
const PLAN = planWith({ progressDeadlineMs: 30 * MINUTE });
const MESSAGE = "a: not now: the shop is open (10-shop)";
const FAILURE = { code: "host-not-now", message: MESSAGE, transient: true } as const;
const refused = (state: RolloutState, askAgainMs?: number, now = NOW): EventBody | undefined =>
  on(
    state,
    {
      effect: { kind: "activate", host: "a" },
      ok: false,
      failure: { ...FAILURE, ...(askAgainMs === undefined ? {} : { askAgainMs }) },
    },
    { now },
  ).events[0];
/** It was refused for the first time at T0 + 5 s, and is being asked again. */
const again = (plan = PLAN, ...more: EventBody[]) =>
  aRun(
    plan,
    ...began,
    staging,
    host("a", "activating", { fence: 7 }),
    host("a", "staged", { failure: FAILURE, deadline: iso(T0 + 9_000) }),
    ...more,
    host("a", "activating", { fence: 7 }),
  );
const FIRST = T0 + 5_000;

describe("its owner says not now", () => {
  test("it waits, with the answer, until the time that was named", () => {
    expect(refused(at("activating", PLAN), 3 * MINUTE)).toMatchObject({
      level: "warn",
      msg: MESSAGE,
      attempt: 1,
      data: { from: "activating", to: "staged", failure: FAILURE, deadline: iso(NOW + 3 * MINUTE) },
    });
  });

  test("it is left for later when that is longer than the run waits for a host", () => {
    expect(refused(at("activating", PLAN), 10 * MINUTE)).toMatchObject({ data: { to: "staged" } });
    expect(refused(at("activating", PLAN), 10 * MINUTE + 1)).toMatchObject({
      msg: MESSAGE,
      data: { to: "deferred", failure: FAILURE },
    });
  });

  test("without a time it is asked ever more rarely, and the wait is counted from the first answer", () => {
    const wait = (now: number) => {
      const event = refused(again(), undefined, now);
      return event?.type === "host.state" && event.data.to === "staged" ? deadlineOf(event) - now : null;
    };
    expect(refused(at("activating", PLAN))).toMatchObject({ data: { to: "staged" } });
    expect(wait(FIRST + 1_000)).toBeGreaterThanOrEqual(10_000);
    expect(wait(FIRST + MINUTE)).toBe(MINUTE);
    expect(wait(FIRST + 5 * MINUTE)).toBe(5 * MINUTE);
    expect(wait(FIRST + 5 * MINUTE + 1)).toBeNull();
  });

  test("it is waited for no longer than would pause the run for want of progress", () => {
    const short = planWith({ progressDeadlineMs: 8 * MINUTE });
    expect(refused(at("activating", short), 4 * MINUTE)).toMatchObject({ data: { to: "staged" } });
    expect(refused(at("activating", short), 4 * MINUTE + 1)).toMatchObject({ data: { to: "deferred" } });
  });

  test("it never fails for it, whatever the policy on hosts out of reach", () => {
    for (const policy of ["fail", "skip"] as const) {
      const plan = planWith({ offline: { ...FAST.offline, policy, unreachableDeadlineMs: MINUTE } });
      expect(refused(at("activating", plan), 5 * MINUTE)).toMatchObject({ data: { to: "deferred" } });
    }
  });

  test("while it waits it is as it was: no failure, no attempt, nobody's budget, and not asked before its time", () => {
    const state = aRun(
      PLAN,
      ...began,
      staging,
      host("a", "activating", { fence: 7 }),
      host("a", "staged", { failure: FAILURE, deadline: iso(NOW + MINUTE) }),
      host("b", "updated"),
    );
    const a = progress(state, "a");
    expect([a.attempt, isUnavailable(a), failureVerdict(state)]).toEqual([1, false, null]);
    const verdict = decide(state, aContext({ now: NOW }));
    expect(verdict).toMatchObject({ effects: [], idle: false });
    expect(verdict.wakeAt).toBeLessThanOrEqual(NOW + MINUTE);
    expect(decide(state, aContext({ now: NOW + MINUTE })).effects).toEqual([{ kind: "guard", host: "a" }]);
  });

  test("a new attempt, or one that has begun, starts a new wait", () => {
    expect(progress(again(), "a").notNowSince).not.toBeNull();
    expect(progress(again(PLAN, host("a", "pending", {}, 2)), "a").notNowSince).toBeNull();
    expect(progress(aRun(PLAN, ...began, staging), "a").notNowSince).toBeNull();
  });

  test("the summary counts it", () => {
    const state = aRun(PLAN, ...began, host("a", "deferred", { failure: FAILURE }), host("b", "deferred"));
    expect(summarize(state, false).msg).toContain("2 deferred (1 not now)");
  });
});

describe("against its will", () => {
  const agreed = done("guard", { readings: [], givenUp: [] });

  test("only where an operator said so", () => {
    expect(on(at("staged"), agreed).effects).toEqual([{ kind: "activate", host: "a" }]);
    expect(
      on(at("staged", planWith({ progressDeadlineMs: 30 * MINUTE, ignoreConsent: true })), agreed).effects,
    ).toEqual([{ kind: "activate", host: "a", ignoreConsent: true }]);
  });

  test("the plan says so, and is another one", () => {
    const plan = planWith({ progressDeadlineMs: 30 * MINUTE, ignoreConsent: true });
    expect(plan.warnings).toContainEqual(expect.stringContaining("whatever their owners' programs say"));
    expect(PLAN.warnings).toEqual([]);
    expect(plan.hash).not.toBe(PLAN.hash);
  });
});

describe("a whole run", () => {
  async function roll(policy: Parameters<typeof anInventory>[1], say: (fleet: FakeFleet) => void) {
    const inventory = anInventory(
      ["a", "b", "c"].map((n) => aHost(n)),
      policy,
    );
    const fleet = new FakeFleet();
    for (const h of inventory.hosts) fleet.add(h.name, system(h.name, "r1"));
    say(fleet);
    const store = new MemoryStore();
    const plan = aPlan(inventory);
    await startRun(store, plan, { operator: "test", clock: systemClock });
    const deps = {
      store,
      clock: systemClock,
      owner: "test",
      driver: fleet,
      hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
      checks: () => [],
    };
    const { signal } = new AbortController();
    for await (const _ of drive(plan.id, deps, { drain: signal, abort: signal }));
    return { fleet, state: replay(await store.events(plan.id)) as RolloutState };
  }
  const on1 = (fleet: FakeFleet, name: string) => {
    const found = fleet.hosts.get(name);
    if (!found) throw new Error(`no ${name}`);
    return found;
  };

  test("goes on with a host once its owner agrees: the same attempt, once", async () => {
    const patient = { offline: { ...FAST.offline, unreachableDeadlineMs: 5_000 } };
    const { fleet, state } = await roll(patient, (f) => {
      for (const h of f.hosts.values()) h.objection = (nth) => (nth <= 2 ? { askAgainMs: 20 } : null);
    });
    expect(state.status).toBe("succeeded");
    for (const h of fleet.hosts.values()) expect(h).toMatchObject({ asked: 3, activations: ["r-1/1"] });
  });

  test("ends without those whose owners do not: deferred, and untouched", async () => {
    const { fleet, state } = await roll({}, (f) => {
      on1(f, "b").objection = () => ({ askAgainMs: 3_600_000 });
    });
    expect(state.status).toBe("succeeded_with_stragglers");
    expect(progress(state, "b")).toMatchObject({
      state: "deferred",
      attempt: 1,
      failure: { code: "host-not-now" },
    });
    expect(on1(fleet, "b")).toMatchObject({ asked: 1, activations: [], current: system("b", "r1") });
  });

  test("asks nobody when told so", async () => {
    const { fleet, state } = await roll({ ignoreConsent: true }, (f) => {
      for (const h of f.hosts.values()) h.objection = () => ({});
    });
    expect(state.status).toBe("succeeded");
    for (const h of fleet.hosts.values()) expect(h.asked).toBe(0);
  });
});
