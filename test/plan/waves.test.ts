/** The ladder, and what each wave is called, tolerates and soaks for. */
import { describe, expect, test } from "vitest";
import type { Role } from "../../src/inventory/model.ts";
import type { Policy } from "../../src/plan/policy.ts";
import { buildWaves, defaultLadder } from "../../src/plan/waves.ts";
import { FAST } from "../support/fleet.ts";

const pct = (p: number) => ({ kind: "percent", pct: p }) as const;
const count = (n: number) => ({ kind: "count", n }) as const;
const hosts = (n: number, role: Role = "peer") =>
  Array.from({ length: n }, (_, i) => ({ name: `${role}-${i}`, role }));

const waves = (canaries: number, rest: ReturnType<typeof hosts>, policy: Partial<Policy>) =>
  buildWaves(
    hosts(canaries).map((h) => ({ ...h, name: `canary-${h.name}` })),
    rest,
    {
      ...FAST,
      roles: {},
      ...policy,
    },
  );
const shape = (list: ReturnType<typeof waves>) => list.map((w) => `${w.kind} ${w.label}: ${w.hosts.length}`);

describe("the ladder by size of the fleet", () => {
  test.each([
    [1, [100]],
    [4, [100]],
    [5, [50, 100]],
    [49, [50, 100]],
    [50, [10, 50, 100]],
    [499, [10, 50, 100]],
    [500, [5, 20, 50, 100]],
    [4999, [5, 20, 50, 100]],
    [5000, [1, 5, 15, 40, 100]],
  ])("%i hosts", (n, rungs) => {
    expect(defaultLadder(n)).toEqual(rungs.map(pct));
  });

  test("is climbed where the policy states none", () => {
    expect(shape(waves(1, hosts(9), {}))).toEqual(["canary canary: 1", "wave 50 %: 4", "wave 100 %: 5"]);
  });
});

describe("waves", () => {
  test("a target that the canaries reached already is passed over, one that nobody reached is not", () => {
    const policy = { waves: [pct(10), count(3), count(4), pct(100)] };
    expect(shape(waves(3, hosts(7), policy))).toEqual(["canary canary: 3", "wave 4: 1", "wave 100 %: 6"]);
  });

  test("roles after the first are named, and stand in waves of their own", () => {
    const rest = [...hosts(3), ...hosts(2, "gateway"), ...hosts(1, "bootstrap")];
    expect(shape(waves(0, rest, { waves: [pct(50), pct(100)] }))).toEqual([
      "wave 50 %: 3",
      "wave 100 % gateway: 2",
      "wave 100 % bootstrap: 1",
    ]);
  });

  test("nobody to update: no waves", () => {
    expect(waves(0, [], {})).toEqual([]);
    expect(shape(waves(2, [], {}))).toEqual(["canary canary: 2"]);
  });

  test("canaries and waves tolerate what the policy says for each, never more than its cap", () => {
    const maxFailures = { canary: count(0), wave: pct(50), waveMax: 2 };
    const tolerated = (more: Partial<Policy["maxFailures"]>) =>
      waves(2, hosts(8), { waves: [pct(40), pct(100)], maxFailures: { ...maxFailures, ...more } }).map(
        (w) => w.maxFailures,
      );
    expect(tolerated({})).toEqual([0, 1, 2]);
    expect(tolerated({ waveMax: 9 })).toEqual([0, 1, 3]);
    const { waveMax: _none, ...uncapped } = maxFailures;
    expect(
      waves(2, hosts(8), { waves: [pct(100)], maxFailures: uncapped }).map((w) => w.maxFailures),
    ).toEqual([0, 4]);
  });

  describe("soak", () => {
    const soaks = (policy: Partial<Policy>, rest = hosts(8)) =>
      waves(2, rest, { waves: [pct(40), pct(60), pct(80), pct(100)], ...policy }).map((w) => w.soakMs);

    test("the canaries' own, then one for each wave, the last one for all that follow", () => {
      expect(soaks({ soak: { canaryMs: 9, waveMs: [5, 3] } })).toEqual([9, 5, 3, 3, 3]);
      expect(soaks({ soak: { canaryMs: 0, waveMs: [] } })).toEqual([0, 0, 0, 0, 0]);
    });

    test("never shorter than what a role of the wave needs", () => {
      const roles = { gateway: { soakMs: 7 } };
      const rest = [...hosts(6), ...hosts(2, "gateway")];
      expect(soaks({ soak: { canaryMs: 1, waveMs: [2] }, roles }, rest)).toEqual([1, 2, 2, 2, 7]);
      expect(soaks({ soak: { canaryMs: 1, waveMs: [9] }, roles }, rest)).toEqual([1, 9, 9, 9, 9]);
    });
  });
});
