import { afterEach, beforeEach, expect } from "vitest";
import type { Store } from "../../src/store/store.ts";

/** A store under test; `again` closes what is open and opens the same data anew (memory: returns the same store). */
export interface Subject {
  readonly store: Store;
  again(): Promise<Store>;
  dispose(): Promise<void>;
}

export const failsWith = (code: string) => expect.objectContaining({ name: "FleetError", code });

/** Gives each test its own subject. */
export function subjectPerTest(make: () => Promise<Subject>): () => Store {
  let subject: Subject;
  beforeEach(async () => {
    subject = await make();
  });
  afterEach(() => subject.dispose());
  return () => subject.store;
}
