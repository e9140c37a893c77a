/** What is mutated, and the fast tests that are to notice. */

interface Area {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
}

/** Files that act instead of deciding: held to their word by whole runs (`test/e2e`, `test/simulation`). */
export const SHELL = [
  "begin",
  "catch-up",
  "engine",
  "launch",
  "leftovers",
  "neighbours",
  "perform",
  "remember",
  "run-lease",
  "store-patience",
  "survey",
].map((name) => `src/rollout/${name}.ts`);

export const AREAS: Readonly<Record<string, Area>> = {
  plan: {
    mutate: ["src/plan/*.ts", "!src/**/*.test.ts"],
    tests: ["test/plan/*.test.ts"],
  },
  rollout: {
    mutate: ["src/rollout/*.ts", "!src/**/*.test.ts", ...SHELL.map((path) => `!${path}`)],
    // Last, for what no table names: whole rollouts under bad luck.
    tests: ["test/rollout/*.test.ts", "src/rollout/*.test.ts", "test/mutation/*.mutation.ts"],
  },
};

/** The one that `MUTATION_AREA` names: Stryker's configuration and that of its tests are read apart. */
export function currentArea(): Area & { readonly name: string } {
  const name = process.env.MUTATION_AREA ?? "plan";
  const area = AREAS[name];
  if (!area) throw new Error(`MUTATION_AREA=${name}: one of ${Object.keys(AREAS).join(", ")}`);
  return { name, ...area };
}
