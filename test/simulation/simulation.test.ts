/** Rollouts under bad luck: nothing that happens may break a promise. `SIM_SEEDS=5000 SIM_FROM=1` for more. */
import { describe, expect, test } from "vitest";
import { BROKEN } from "../../src/simulation/broken.ts";
import { type Count, Counter, type Counts } from "../../src/simulation/counts.ts";
import { simulate } from "../../src/simulation/simulate.ts";

const SEEDS = Number(process.env.SIM_SEEDS ?? 300);
const FROM = Number(process.env.SIM_FROM ?? 1);
const BATCH = 50;
/** A broken guard is found in these. */
const SEARCHED = 300;

const replay = (seed: number, broken?: string) =>
  `node src/simulation/run.ts --trace --from ${seed}${broken === undefined ? "" : ` --broken ${broken}`}`;

describe("every promise is kept", () => {
  const happened = new Counter();
  const batches = Array.from({ length: Math.ceil(SEEDS / BATCH) }, (_, i) => FROM + i * BATCH);
  test.each(batches)("seeds from %i", async (from) => {
    for (let seed = from; seed < Math.min(from + BATCH, FROM + SEEDS); seed++) {
      const { violations, counts } = await simulate(seed);
      expect(violations, `seed ${seed}; again: ${replay(seed)}`).toEqual([]);
      happened.take(counts);
    }
  });

  /** A promise that nothing puts to the test proves nothing. In 300 seeds there are some twenty times as many. */
  test.runIf(SEEDS >= 300)("and there was reason to break them", () => {
    const enough: Partial<Counts> = {
      reopened: 3,
      namedRetries: 3,
      refusals: 8,
      ownersDeferred: 5,
      caughtUp: 5,
      crowds: 3,
    };
    for (const [name, n] of Object.entries(happened.counts))
      expect(n, name).toBeGreaterThanOrEqual(enough[name as Count] ?? 15);
  });
});

describe("the same seed is the same story", () => {
  test.each([3, 22, 142, 337])("seed %i", async (seed) => {
    const tell = async () => {
      const lines: string[] = [];
      await simulate(seed, { trace: (line) => lines.push(line) });
      return lines;
    };
    expect(await tell()).toEqual(await tell());
  });
});

/** Without this nobody would know whether the invariants can fail at all. */
describe("a broken guard is found", () => {
  test.each(Object.entries(BROKEN))("%s", async (name, rules) => {
    for (let seed = 1; seed <= SEARCHED; seed++) {
      const { violations } = await simulate(seed, { rules });
      if (violations.length === 0) continue;
      console.log(`${name}: found by seed ${seed} (${violations[0]}); again: ${replay(seed, name)}`);
      return;
    }
    expect.fail(`${name} broke nothing in ${SEARCHED} seeds`);
  });
});
