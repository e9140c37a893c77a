/** For what no table names: whole rollouts under bad luck. Few, because every mutant left over runs them all. */
import { expect, test } from "vitest";
import { simulate } from "../../src/simulation/simulate.ts";

const SEEDS = 40;

test("simulated rollouts keep every promise", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) expect((await simulate(seed)).violations).toEqual([]);
});
