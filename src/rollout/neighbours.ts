/** Other rollouts that run at the same time: what they have in flight counts against the limits of this one, too. */
import type { Store } from "../store/store.ts";
import { addElsewhere, type Elsewhere, NOWHERE_ELSE } from "./budgets.ts";
import { TERMINAL_STATES } from "./events.ts";
import { evolve, type RolloutState } from "./state.ts";

export class Neighbours {
  readonly #store: Store;
  readonly #runId: string;
  readonly #known = new Map<string, RolloutState>();
  sum: Elsewhere = NOWHERE_ELSE;

  constructor(store: Store, runId: string) {
    this.#store = store;
    this.#runId = runId;
  }

  /** Reads what is new in their journals. */
  async refresh(): Promise<void> {
    const runs = await this.#store.runs({ active: true });
    const ids = new Set(runs.filter((r) => r.id !== this.#runId && r.kind !== "install").map((r) => r.id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    for (const id of ids) {
      const known = this.#known.get(id) ?? null;
      let state = known;
      for (const event of await this.#store.events(id, known?.lastSeq ?? 0)) {
        if (state !== null || event.type === "plan") state = evolve(state, event);
      }
      if (state !== null && !TERMINAL_STATES.has(state.status)) this.#known.set(id, state);
    }
    this.sum = [...this.#known.values()].reduce(addElsewhere, NOWHERE_ELSE);
  }
}
