/** One controller drives a run at a time: it holds the run's lease, and renews it. */
import { FleetError } from "../errors.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Lease, Store } from "../store/store.ts";

export const LEASE_TTL_MS = 15_000;

interface Driver {
  readonly store: Store;
  readonly clock: Clock;
  readonly owner: string;
}

/** Throws `locked` while somebody else holds it. */
export async function takeLease(runId: string, { store, clock, owner }: Driver): Promise<Lease> {
  const key = `run:${runId}`;
  const lease = await store.lease(key, owner, LEASE_TTL_MS, clock.now());
  if (lease) return lease;
  const holder = await store.holder(key, clock.now());
  throw new FleetError("locked", `${runId} is driven by ${holder?.owner ?? "another controller"}`, {
    hint: `watch it with "macula-fleet rollout watch ${runId}"; a dead controller's lease ends by itself within ${LEASE_TTL_MS / 1000} s`,
  });
}
