/**
 * Would the fast tests notice if the pure core were wrong? `npm run mutation` asks for each area of `scope.ts` on its
 * own, so that neither can hide behind the other. docs/testing.md has the last score.
 */
import { currentArea } from "./test/mutation/scope.ts";

const { name, mutate } = currentArea();

export default {
  mutate: [...mutate],
  testRunner: "vitest",
  vitest: { configFile: "test/mutation/vitest.config.ts", related: false },
  coverageAnalysis: "perTest",
  plugins: ["@stryker-mutator/vitest-runner", "./test/mutation/human-text.ts"],
  ignorers: ["human-text"],
  // Tests may read the documents and examples that they hold true: all of it is copied, but what was made.
  ignorePatterns: ["/coverage", "/dist", "/reports"],
  incremental: true,
  incrementalFile: `reports/mutation/${name}.incremental.json`,
  jsonReporter: { fileName: `reports/mutation/${name}.json` },
  htmlReporter: { fileName: `reports/mutation/${name}.html` },
  reporters: ["progress-append-only", "clear-text", "json", "html"],
  clearTextReporter: { logTests: false, reportTests: false, reportMutants: false },
  concurrency: 2,
  // A busy machine must not turn survivors into timeouts, which count as found.
  timeoutMS: 30_000,
  thresholds: { high: 95, low: 90, break: 85 },
};
