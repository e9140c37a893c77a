import pRetry from "p-retry";
import { LAB_LABEL } from "./container.ts";
import type { Engine } from "./engine.ts";

export interface LabNetwork {
  readonly name: string;
  /** IPv4, `172.20.0.0/16`. */
  readonly subnet: string;
}

/** A bridge of the lab's own: reachable from this machine, without a way out. */
export async function createLabNetwork(
  engine: Engine,
  lab: string,
  signal: AbortSignal,
): Promise<LabNetwork> {
  const name = `mf-lab-${lab}`;
  const create = (subnet: readonly string[]) =>
    engine.run(
      [
        ...["network", "create", "--driver", "bridge", "--internal", "--label", `${LAB_LABEL}=${lab}`],
        ...["--opt", `com.docker.network.bridge.name=mf-${lab}`, ...subnet, name],
      ],
      { signal },
    );
  // Fixed addresses need a subnet that was asked for: the engine chooses a free one, then it is asked for.
  await create([]);
  const format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
  const found = await engine.run(["network", "inspect", "--format", format, name], { signal });
  const subnet = found.split(" ").find((text) => text.includes(".")) ?? "";
  await engine.run(["network", "rm", name], { signal });
  await create(["--subnet", subnet]);
  return { name, subnet };
}

/** Ids of the lab's containers, in any state unless filtered. */
export async function labContainers(
  engine: Engine,
  lab: string,
  signal: AbortSignal,
  filters: readonly string[] = [],
): Promise<readonly string[]> {
  const args = ["ps", "--all", "--quiet", "--filter", `label=${LAB_LABEL}=${lab}`, ...filters];
  return (await engine.run(args, { signal })).split("\n").filter(Boolean);
}

/**
 * Removes everything that carries the lab's label, and nothing else. Tries again for a while: the engine may still be
 * making a container whose request was interrupted.
 */
export async function removeLabObjects(engine: Engine, lab: string, signal: AbortSignal): Promise<void> {
  const remove = async () => {
    const containers = await labContainers(engine, lab, signal);
    if (containers.length > 0) await engine.run(["rm", "--force", "--volumes", ...containers], { signal });
    const filter = ["--quiet", "--filter", `label=${LAB_LABEL}=${lab}`];
    const networks = (await engine.run(["network", "ls", ...filter], { signal })).split("\n").filter(Boolean);
    for (const network of networks) await engine.run(["network", "rm", network], { signal });
  };
  await pRetry(remove, { retries: 5, minTimeout: 300, factor: 2, signal });
}
