/** Serialises what many machines report at once into one run's journal; state is what the journal says. */
import type { Clock } from "../kernel/clock.ts";
import type { EventBody, FleetEvent } from "../rollout/events.ts";
import { remembered } from "../rollout/remember.ts";
import { evolve, type RolloutState } from "../rollout/state.ts";
import type { Lease, Store } from "../store/store.ts";

export class RunJournal {
  state: RolloutState;
  #lease: Lease;
  #tail: Promise<unknown> = Promise.resolve();
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #publish: (event: FleetEvent) => void;

  constructor(
    store: Store,
    clock: Clock,
    lease: Lease,
    state: RolloutState,
    publish: (event: FleetEvent) => void,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#lease = lease;
    this.state = state;
    this.#publish = publish;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** `make` sees the state at its turn. Resolves when the events are durable and shown; `acknowledge`: words they obey. */
  append(
    make: (state: RolloutState) => readonly EventBody[],
    acknowledge: readonly number[] = [],
  ): Promise<void> {
    const next = this.#tail.then(() => this.#write(make(this.state), acknowledge));
    this.#tail = next.catch(() => undefined);
    return next;
  }

  async renew(ttlMs: number): Promise<void> {
    this.#lease = await this.#store.renew(this.#lease, ttlMs, this.#clock.now());
  }

  async #write(bodies: readonly EventBody[], acknowledge: readonly number[]): Promise<void> {
    if (bodies.length === 0) return;
    const now = this.#clock.now();
    const hosts = await remembered(this.#store, this.state, bodies, now);
    const options = { now, fence: this.#lease.fence, acknowledge, hosts };
    const events = await this.#store.append(this.state.plan.id, this.state.lastSeq, bodies, options);
    for (const event of events) {
      this.state = evolve(this.state, event);
      this.#publish(event);
    }
  }
}
