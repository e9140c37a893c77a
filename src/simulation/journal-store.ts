/** The store that all controllers share, with somebody reading every journal as it is written. */
import type { FleetEvent } from "../rollout/events.ts";
import { MemoryStore } from "../store/memory.ts";
import type { Store } from "../store/store.ts";

export class JournalStore extends MemoryStore {
  readonly #read: (run: string, events: readonly FleetEvent[]) => void;
  readonly #places = new Map<string, number>();

  constructor(read: (run: string, events: readonly FleetEvent[]) => void) {
    super();
    this.#read = read;
  }

  override async append(...call: Parameters<Store["append"]>): Promise<readonly FleetEvent[]> {
    const events = await super.append(...call);
    const [run] = call;
    const known = this.#places.get(run) ?? 0;
    // An append that is repeated is no news.
    const fresh = events.filter((e) => e.seq > known);
    this.#places.set(run, Math.max(known, events.at(-1)?.seq ?? 0));
    if (fresh.length > 0) this.#read(run, fresh);
    return events;
  }
}
