import pMap from "p-map";
import { FleetError } from "../../errors.ts";
import type { ClosureSource } from "../../nix/closures.ts";
import { hostAddress, hostFlavour, READY_SCRIPT, runArguments, SEED_SCRIPT } from "./container.ts";
import type { Engine } from "./engine.ts";
import type { Suite } from "./image.ts";
import type { LabNetwork } from "./network.ts";
import type { DockerLabHost } from "./record.ts";

export interface StartHosts {
  readonly engine: Engine;
  readonly lab: string;
  readonly network: LabNetwork;
  readonly images: ReadonlyMap<Suite, string>;
  readonly authorizedKey: string;
  readonly signal: AbortSignal;
}

export interface HostPlan {
  readonly name: string;
  readonly role: DockerLabHost["role"];
  readonly site: string;
}

/** Which container each host will be; decided before any is made, so that they can be recorded first. */
export function planHosts(hosts: readonly HostPlan[], lab: string, network: LabNetwork): DockerLabHost[] {
  return hosts.map((host, i) => ({
    ...host,
    ...hostFlavour(i),
    container: `mf-lab-${lab}-${host.name}`,
    address: hostAddress(network.subnet, i),
  }));
}

/** Starts every container; with `seeded` each waits for its first system (see `seedHosts`). */
export async function startContainers(
  hosts: readonly DockerLabHost[],
  seeded: boolean,
  o: StartHosts,
): Promise<void> {
  const start = async (host: DockerLabHost) => {
    const image = o.images.get(host.suite);
    if (image === undefined) throw new FleetError("lab-failed", `there is no ${host.suite} image`);
    const { container, address } = host;
    const { lab, authorizedKey } = o;
    const spec = {
      container,
      hostName: host.name,
      image,
      network: o.network.name,
      address,
      authorizedKey,
      lab,
    };
    await o.engine.run(runArguments({ ...spec, seeded }), { signal: o.signal });
  };
  await forEach(hosts, start, 4);
}

/** Puts each host's first system in place and waits until it serves logins. Host keys by address. */
export async function seedHosts(
  hosts: readonly DockerLabHost[],
  systems: ReadonlyMap<string, string>,
  source: ClosureSource,
  o: StartHosts,
): Promise<ReadonlyMap<string, string>> {
  const { engine, signal } = o;
  const keys = new Map<string, string>();
  const seed = async (host: DockerLabHost) => {
    const system = systems.get(host.name);
    if (system === undefined) throw new FleetError("lab-failed", `no system was built for ${host.name}`);
    const paths = (await source.requisites(system, { signal })).map(({ path }) => path);
    const key = await engine.run(
      ["exec", "--interactive", host.container, "sh", "-c", SEED_SCRIPT, "sh", system],
      { signal, input: source.export(paths, { signal }) },
    );
    await engine.run(["exec", host.container, "sh", "-c", READY_SCRIPT], { signal });
    keys.set(host.address, key);
  };
  await forEach(hosts, seed, 3);
  return new Map(hosts.map(({ address }) => [address, keys.get(address) ?? ""]));
}

/** Ends only when nothing is under way any more: who cleans up after a failure must not be overtaken. */
async function forEach<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  concurrency: number,
): Promise<void> {
  try {
    await pMap(items, work, { concurrency, stopOnError: false });
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}
