/** All hosts of a lab in one process. */
import type { Clock } from "../kernel/clock.ts";
import { type LabHost, startLabHost } from "./host.ts";
import type { Machine } from "./machine/model.ts";

/** What a lab host is made from. `port` 0 picks one. */
export interface LabSeed {
  readonly machine: Machine;
  readonly hostKey: string;
  readonly wrongHostKey: string;
  readonly port: number;
}

export interface LabFleet extends AsyncDisposable {
  readonly hosts: ReadonlyMap<string, LabHost>;
}

/** Starts every host; when one cannot start, those that did are stopped before this rejects. */
export async function startFleet(
  seeds: readonly LabSeed[],
  o: { readonly authorizedKeys: readonly string[]; readonly clock: Pick<Clock, "now"> },
): Promise<LabFleet> {
  const hosts = new Map<string, LabHost>();
  const mayForward = (port: number) => [...hosts.values()].some((h) => h.port === port);
  const stop = async () => {
    await Promise.all([...hosts.values()].map((h) => h[Symbol.asyncDispose]()));
  };
  try {
    for (const seed of seeds) {
      hosts.set(seed.machine.name, await startLabHost({ ...seed, ...o, mayForward }));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { hosts, [Symbol.asyncDispose]: stop };
}
