import type { Store } from "../../store/store.ts";
import { fold, type ViewState } from "../view/model.ts";

export interface Views {
  /** The run as its journal has it now; null when there is no such run, or only its record. */
  of(run: string): Promise<ViewState | null>;
}

/** Keeps the folds of the runs last asked for, so that a busy page reads only what is new. */
export function createViews(store: Pick<Store, "run" | "events">, keep = 100): Views {
  const known = new Map<string, ViewState>();
  return {
    async of(run) {
      if (!known.has(run) && (await store.run(run)) === null) return null;
      const before = known.get(run) ?? null;
      const events = await store.events(run, before?.run.lastSeq ?? 0);
      let view = before;
      for (const event of events) view = fold(view, event);
      // Somebody asking at the same time may have come further.
      const newest = known.get(run);
      if (newest && view && newest.run.lastSeq > view.run.lastSeq) return newest;
      if (view === null) return null;
      known.delete(run);
      known.set(run, view);
      for (const oldest of known.keys()) {
        if (known.size <= keep) break;
        known.delete(oldest);
      }
      return view;
    },
  };
}
