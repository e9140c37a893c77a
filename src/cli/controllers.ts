/** Who drives a run right now; a controller of this machine whose process is gone drives nothing any more. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { App } from "../app.ts";
import { FleetError } from "../errors.ts";
import type { Lease, Store } from "../store/store.ts";

/** The living controller of a run, or null. A dead one's lease is ended, so that a resume need not wait for it. */
export async function controllerOf(app: App, store: Store, runId: string): Promise<Lease | null> {
  const lease = await store.holder(`run:${runId}`, app.clock.now());
  if (!lease || !isDead(lease.owner)) return lease;
  await store.release(lease);
  return null;
}

/** Before something new begins: unfinished runs whose controllers are dead count as driven by nobody. */
export async function releaseDead(app: App, store: Store): Promise<void> {
  for (const run of await store.runs({ active: true })) await controllerOf(app, store, run.id);
}

/** Owners are `user@machine:pid`: only this machine's processes can be looked for; null for others. */
function localPid(owner: string): string | null {
  const [, machine, pid] = /@(.+):(\d+)$/.exec(owner) ?? [];
  return machine === hostname() ? (pid ?? null) : null;
}

function isDead(owner: string): boolean {
  const pid = localPid(owner);
  if (pid === null) return false;
  try {
    globalThis.process.kill(Number(pid), 0);
    return isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** Ended, but its parent has not noticed yet. Linux only; elsewhere the lease runs out by itself. */
function isZombie(pid: string): boolean {
  try {
    return /^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

const LOOK_MS = 500;

/**
 * For a resume: a controller elsewhere may have died without a word. Waits until its lease runs out; throws `locked`
 * as soon as it proves to be alive by renewing it, and at once when it is a living process of this machine.
 */
export async function awaitFree(app: App, store: Store, runId: string): Promise<void> {
  const first = await controllerOf(app, store, runId);
  if (!first) return;
  if (localPid(first.owner) !== null) throw aliveError(runId, first);
  app.note(
    `${runId}: waiting for the lease of ${first.owner}, which ends in ${Math.ceil((first.expiresAt - app.clock.now()) / 1000)} s if it is gone`,
  );
  for (let lease: Lease | null = first; lease; lease = await controllerOf(app, store, runId)) {
    if (lease.expiresAt > first.expiresAt) {
      throw aliveError(runId, lease);
    }
    await app.clock.sleep(LOOK_MS, app.signal);
  }
}

const aliveError = (runId: string, lease: Lease): FleetError =>
  new FleetError("locked", `${runId} is driven by ${lease.owner}, and it is alive`, {
    hint: `macula-fleet rollout watch ${runId}`,
  });
