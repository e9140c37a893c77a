/** Every wait follows from the policy, within bounds that keep a fast lab usable and a slow fleet polite. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Policy } from "../../src/plan/policy.ts";
import { estimateMs } from "../../src/plan/windows.ts";
import {
  backoffMs,
  checkMs,
  giveUpAfterMs,
  healthPolicy,
  lateWordMs,
  lostAfterMs,
  pollMs,
  soakCheckMs,
} from "../../src/rollout/timing.ts";

import { aHost, anInventory, aPlan, FAST } from "../support/fleet.ts";
import { aRun, progress } from "../support/run.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const policy = (more: Partial<Policy>): Policy => ({ ...FAST, ...more });

describe("within bounds", () => {
  test.each([
    [1, 150],
    [6 * SECOND, 200],
    [6015, 201],
    [10 * MINUTE, 5 * SECOND],
  ])(
    "an activation that must be confirmed in %i ms is looked at every %i ms",
    (confirmTimeoutMs, expected) => {
      expect(pollMs(policy({ confirmTimeoutMs }))).toBe(expected);
    },
  );

  test.each([
    [1, 150],
    [10 * SECOND, 2500],
    [10 * MINUTE, 10 * SECOND],
  ])("health to be proven for %i ms is checked every %i ms", (minHealthyTimeMs, expected) => {
    expect(checkMs(policy({ minHealthyTimeMs }))).toBe(expected);
  });

  test.each([
    [1, 0, 250],
    [MINUTE, 0, 12 * SECOND],
    [60 * MINUTE, 0, 30 * SECOND],
    [60 * MINUTE, MINUTE, MINUTE],
  ])(
    "a soak of %i ms, health to be proven for %i ms: checked every %i ms",
    (soak, minHealthyTimeMs, expected) => {
      expect(soakCheckMs(policy({ minHealthyTimeMs }), soak)).toBe(expected);
    },
  );

  test.each([
    [1, 500],
    [40 * SECOND, 10 * SECOND],
    [10 * MINUTE, 30 * SECOND],
  ])("confirmed within %i ms: a word may be late by %i ms", (confirmTimeoutMs, expected) => {
    expect(lateWordMs(policy({ confirmTimeoutMs }))).toBe(expected);
  });
});

test("silence: lost after its timer and three looks, given up after it could have gone back and come up", () => {
  const offline = { ...FAST.offline, unreachableDeadlineMs: 7 * MINUTE };
  const p = policy({ confirmTimeoutMs: MINUTE, healthyDeadlineMs: 5 * MINUTE, offline });
  expect(lostAfterMs(p)).toBe(66 * SECOND);
  expect(giveUpAfterMs(p)).toBe(66 * SECOND + 12 * MINUTE);
});

test("a window must leave time for the activation and its proof", () => {
  expect(estimateMs(policy({ confirmTimeoutMs: MINUTE, minHealthyTimeMs: 2 * MINUTE }))).toBe(3 * MINUTE);
});

test("health is judged by the policy; three relapses are forgiven, a confirm timeout unseen is not", () => {
  expect(healthPolicy(policy({ minHealthyTimeMs: 1, healthyDeadlineMs: 2, confirmTimeoutMs: 3 }))).toEqual({
    minHealthyTimeMs: 1,
    healthyDeadlineMs: 2,
    maxResets: 3,
    maxGapMs: 3,
  });
});

describe("trying again", () => {
  const names = Array.from({ length: 40 }, (_, i) => `node-${i}`);
  const state = aRun(aPlan(anInventory(names.map((n) => aHost(n)))));
  const patient = policy({ offline: { ...FAST.offline, unreachableDeadlineMs: 60 * MINUTE } });
  const wait = (name: string, tries: number, p = patient) =>
    backoffMs({ ...progress(state, name), tries }, p);

  test("twice as long each time, up to a quarter of an hour, spread by a quarter at most", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(20), (name, tries) => {
        const least = Math.min(15 * MINUTE, 10 * SECOND * 2 ** tries);
        expect(wait(name, tries)).toBeGreaterThanOrEqual(least);
        expect(wait(name, tries)).toBeLessThan(least * 1.25);
        expect(wait(name, tries)).toBe(Math.round(wait(name, tries)));
      }),
    );
  });

  test("the same for one host, different from host to host", () => {
    expect(wait("node-1", 3)).toBe(wait("node-1", 3));
    const waits = new Set(names.map((name) => wait(name, 3)));
    expect(waits.size).toBeGreaterThan(10);
    // Names that share their letters must not share their turn.
    expect(wait("node-12", 3)).not.toBe(wait("node-21", 3));
  });

  test("sooner where hosts are given up sooner", () => {
    const hasty = policy({ offline: { ...FAST.offline, unreachableDeadlineMs: 8 * SECOND } });
    expect(wait("node-1", 0, hasty)).toBeGreaterThanOrEqual(SECOND);
    expect(wait("node-1", 0, hasty)).toBeLessThan(1.25 * SECOND);
  });
});
