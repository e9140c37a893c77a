/** From a host of the inventory to what the transport needs to reach it. Pure. */
import { FleetError } from "../errors.ts";
import type { Hop, Target } from "../transport/transport.ts";
import type { Bastion, Host, Inventory } from "./model.ts";

/** Bastions outermost first; a bastion's own key file wins over the host's. */
export function targetOf(host: Host, inventory: Inventory): Target {
  const { ssh } = host;
  return {
    name: host.name,
    address: host.address,
    port: host.port,
    user: host.user,
    hostKeys: host.identity.hostKeys,
    via: bastionChain(host.bastion, inventory).map((bastion) => hopOf(bastion, ssh.identityFile)),
    // Two sites may use the same private address: behind a bastion a host is known by its name.
    ...(host.bastion === null ? {} : { hostKeyAlias: host.name }),
    hostKeyPolicy: ssh.hostKeyPolicy,
    connectTimeoutMs: ssh.connectTimeoutMs,
    ...(ssh.identityFile === undefined ? {} : { identityFile: ssh.identityFile }),
    ...(ssh.knownHostsFile === undefined ? {} : { knownHostsFile: ssh.knownHostsFile }),
    ...(ssh.configFile === undefined ? {} : { sshConfigFile: ssh.configFile }),
  };
}

/** The bastions on the way to `name`, outermost first. Throws inventory-invalid on unknown names and circles. */
export function bastionChain(name: string | null, { bastions }: Inventory): readonly Bastion[] {
  const chain: Bastion[] = [];
  let next = name ?? undefined;
  while (next !== undefined) {
    const bastion = Object.hasOwn(bastions, next) ? bastions[next] : undefined;
    if (bastion === undefined || chain.includes(bastion)) {
      throw new FleetError(
        "inventory-invalid",
        `bastion "${next}" ${bastion ? "leads to itself" : "does not exist"}`,
        {
          hint: "See: macula-fleet inventory validate",
        },
      );
    }
    chain.unshift(bastion);
    next = bastion.bastion;
  }
  return chain;
}

function hopOf(bastion: Bastion, identityFile: string | undefined): Hop {
  const key = bastion.identityFile ?? identityFile;
  return {
    address: bastion.address,
    port: bastion.port,
    user: bastion.user,
    hostKeys: bastion.hostKey === undefined ? [] : [bastion.hostKey],
    ...(key === undefined ? {} : { identityFile: key }),
  };
}
