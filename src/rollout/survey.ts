/** One look at many hosts before anything is decided: reachable ones answer, the others say why not. */
import pMap from "p-map";
import { EXIT, type Failure, FleetError, toFailure } from "../errors.ts";
import type { HostDriver } from "../host/driver.ts";
import type { Observation } from "../host/protocol.ts";
import type { Host, HostName } from "../inventory/model.ts";

export type Sighting =
  | { readonly reachable: true; readonly observation: Observation }
  | { readonly reachable: false; readonly failure: Failure };

export async function survey(
  hosts: readonly Host[],
  driver: Pick<HostDriver, "observe">,
  o: { readonly signal: AbortSignal; readonly forks: number },
): Promise<ReadonlyMap<HostName, Sighting>> {
  const sightings = await pMap(
    hosts,
    async (host): Promise<readonly [HostName, Sighting]> => {
      try {
        return [
          host.name,
          { reachable: true, observation: await driver.observe(host, { signal: o.signal }) },
        ];
      } catch (error) {
        o.signal.throwIfAborted();
        // A key file that is not there is the inventory's mistake, not the host's.
        if (error instanceof FleetError && error.exit === EXIT.usage) throw error;
        return [host.name, { reachable: false, failure: toFailure(error) }];
      }
    },
    { concurrency: o.forks, signal: o.signal },
  );
  return new Map(sightings);
}
