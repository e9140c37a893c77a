/** The tests that are to notice a mutant. */
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { currentArea } from "./scope.ts";

/** The first failure ends a mutant: what is quick comes first. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const cost = (f: TestSpecification) => (f.moduleId.endsWith(".mutation.ts") ? 1 : 0);
    return files.toSorted((a, b) => cost(a) - cost(b) || a.moduleId.localeCompare(b.moduleId));
  }
}

export default defineConfig({
  test: {
    include: [...currentArea().tests],
    // Waits for real timers: minutes for all mutants of one line.
    exclude: ["test/rollout/engine.test.ts"],
    setupFiles: ["test/mutation/setup.ts"],
    sequence: { sequencer: QuickFirst },
    isolate: false,
    testTimeout: 60_000,
  },
});
