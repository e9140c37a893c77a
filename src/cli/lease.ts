/** A lease that is kept as long as something is being done. */
import type { App } from "../app.ts";
import { FleetError } from "../errors.ts";
import type { Lease, Store } from "../store/store.ts";

const TTL_MS = 15_000;

/** Throws `locked` when somebody else has it. `work` gets it with its fence; losing it is found at the next host. */
export async function withLease<T>(
  app: App,
  store: Store,
  key: string,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await store.lease(key, app.operator, TTL_MS, app.clock.now());
  if (!lease) {
    const holder = await store.holder(key, app.clock.now());
    throw new FleetError("locked", `${holder?.owner ?? "another controller"} is doing that right now`, {
      hint: "wait for it; a dead controller's lease ends by itself within 15 s",
    });
  }
  const renewal = setInterval(() => {
    store.renew(lease, TTL_MS, app.clock.now()).catch(() => undefined);
  }, TTL_MS / 3).unref();
  try {
    return await work(lease);
  } finally {
    clearInterval(renewal);
    await store.release(lease).catch(() => undefined);
  }
}
