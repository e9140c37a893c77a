/** One controller's view of the shared store: away at times, answers that get lost, death before or after a write. */
import { FleetError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import type { Controller } from "./controller.ts";

export interface StoreFaults {
  /** Is the store out of reach now? */
  readonly away: () => boolean;
  /** What befalls what is written. */
  readonly fate: () => "ok" | "die-before" | "die-after" | "answer-lost";
  readonly die: (controller: Controller) => void;
}

const gone = () => new FleetError("store-unavailable", "the store does not answer");

export function createModelStore(shared: Store, me: Controller, faults: StoreFaults): Store {
  /** Takes a moment, like everything else; nothing comes back to a dead controller. */
  function ask<T>(work: () => Promise<T>, write = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      me.after(1, () => {
        if (faults.away()) return me.after(50, () => reject(gone()));
        const fate = write ? faults.fate() : "ok";
        if (fate === "die-before") return faults.die(me);
        work().then(
          (value) => {
            if (fate === "die-after") faults.die(me);
            else if (fate === "answer-lost") me.after(50, () => reject(gone()));
            else me.soon(() => resolve(value));
          },
          (error) => me.soon(() => reject(error)),
        );
      });
    });
  }
  return {
    create: (run) => ask(() => shared.create(run)),
    append: (run, seq, bodies, o) => ask(() => shared.append(run, seq, bodies, o), true),
    adopt: (run, events) => ask(() => shared.adopt(run, events)),
    events: (run, since) => ask(() => shared.events(run, since)),
    runs: (query) => ask(() => shared.runs(query)),
    run: (id) => ask(() => shared.run(id)),
    lease: (key, owner, ttl, now, above) => ask(() => shared.lease(key, owner, ttl, now, above)),
    renew: (lease, ttl, now) => ask(() => shared.renew(lease, ttl, now)),
    release: (lease) => ask(() => shared.release(lease)),
    holder: (key, now) => ask(() => shared.holder(key, now)),
    submit: (run, command) => ask(() => shared.submit(run, command)),
    pending: (run) => ask(() => shared.pending(run)),
    acknowledge: (run, ids) => ask(() => shared.acknowledge(run, ids)),
    hosts: () => ask(() => shared.hosts()),
    putHost: (record) => ask(() => shared.putHost(record), true),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
