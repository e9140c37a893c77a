import { defineConfig } from "vitest/config";

/** One project per kind of proof; `scripts/test.mjs` runs them all and says what could not run. */
const project = (name: string, include: string[], extra: object = {}) => ({
  test: { name, include, testTimeout: 30_000, hookTimeout: 60_000, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", [
        "src/**/*.test.ts",
        "test/{inventory,store,host,install,ui,cli,plan,rollout,import,convert,firstboot,mutation}/**/*.test.ts",
      ]),
      project("contract", ["test/contract/**/*.test.ts"]),
      // They mostly wait for timers: more of them at a time than there are processors.
      project("lab", ["test/lab/**/*.test.ts", "test/e2e/**/*.test.ts"], {
        testTimeout: 120_000,
        maxWorkers: 3,
        sequence: { groupOrder: 1 },
      }),
      project("simulation", ["test/simulation/**/*.test.ts"], { testTimeout: 300_000 }),
      project("nix", ["test/nix/**/*.test.ts"], { testTimeout: 180_000 }),
      project("vm", ["test/vm/**/*.test.ts"], { testTimeout: 1_200_000, hookTimeout: 1_200_000 }),
      project("container", ["test/container/**/*.test.ts"], {
        testTimeout: 300_000,
        hookTimeout: 600_000,
        fileParallelism: false,
      }),
    ],
  },
});
