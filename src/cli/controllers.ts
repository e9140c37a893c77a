/** Who drives a run right now; a controller of this machine whose process is gone drives nothing any more. */
import { hostname } from "node:os";
import type { App } from "../app.ts";
import type { Lease, Store } from "../store/store.ts";

/** The living controller of a run, or null. A dead one's lease is ended, so that a resume need not wait for it. */
export async function controllerOf(app: App, store: Store, runId: string): Promise<Lease | null> {
  const lease = await store.holder(`run:${runId}`, app.clock.now());
  if (!lease || !isDead(lease.owner)) return lease;
  await store.release(lease);
  return null;
}

/** Owners are `user@machine:pid`: only this machine's processes can be looked for. */
function isDead(owner: string): boolean {
  const [, machine, pid] = /@(.+):(\d+)$/.exec(owner) ?? [];
  if (machine !== hostname() || pid === undefined) return false;
  try {
    globalThis.process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
