/** Other rollouts, running or ended: what they have in flight, or left so, counts against the limits of this one, too. */
import type { Store } from "../store/store.ts";
import { type Elsewhere, NOWHERE_ELSE, unavailableIn } from "./budgets.ts";
import { TERMINAL_STATES } from "./events.ts";
import { Leftovers } from "./leftovers.ts";
import type { Performer } from "./perform.ts";
import { evolve, type RolloutState } from "./state.ts";

export class Neighbours {
  readonly leftovers: Leftovers;
  readonly #store: Store;
  readonly #runId: string;
  readonly #known = new Map<string, RolloutState>();
  #elsewhere: Elsewhere = NOWHERE_ELSE;
  #begun = false;

  constructor(store: Store, runId: string, performer: Performer) {
    this.#store = store;
    this.#runId = runId;
    this.leftovers = new Leftovers(store, performer);
  }

  get elsewhere(): Elsewhere {
    return this.leftovers.places.length === 0
      ? this.#elsewhere
      : new Map([...this.leftovers.places.map((p) => [p.name, p] as const), ...this.#elsewhere]);
  }

  /** Reads what is new in their journals. */
  async refresh(): Promise<void> {
    const runs = await this.#store.runs({ active: true });
    const ids = new Set(runs.filter((r) => r.id !== this.#runId && r.kind !== "install").map((r) => r.id));
    let ended = false;
    for (const id of this.#known.keys()) if (!ids.has(id)) ended = this.#known.delete(id);
    for (const id of ids) {
      const known = this.#known.get(id) ?? null;
      let state = known;
      for (const event of await this.#store.events(id, known?.lastSeq ?? 0)) {
        if (state !== null || event.type === "plan") state = evolve(state, event);
      }
      if (state !== null && !TERMINAL_STATES.has(state.status)) this.#known.set(id, state);
      else ended = this.#known.delete(id) || ended;
    }
    this.#elsewhere = new Map([...this.#known.values()].flatMap(unavailableIn).map((p) => [p.name, p]));
    // A run records what it leaves behind before it ends.
    if (ended || !this.#begun) await this.leftovers.refresh();
    this.#begun = true;
  }
}
