import fc from "fast-check";
import { vi } from "vitest";

/** The same score again for the same code, and no time spent on making counterexamples small. */
fc.configureGlobal({ seed: 1, endOnFailure: true });

/** Workers are kept, their modules are not: a mutant in what a module does when it is loaded must be loaded. */
vi.resetModules();
