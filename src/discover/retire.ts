/** What retiring a host means for the others, and what forbids it. Pure. */

import type { Host, Inventory } from "../inventory/model.ts";
import { hostAddressOf } from "./peers.ts";

export interface RetirePlan {
  readonly host: string;
  /** Reasons that forbid it. */
  readonly refusals: readonly { readonly message: string; readonly fix: string }[];
  /** Done before the entry is changed, by a person or by the commands named. */
  readonly steps: readonly string[];
  /** Hosts whose systems change with the next rollout because they name this one. */
  readonly affected: readonly string[];
}

export function planRetire(host: Host, inventory: Pick<Inventory, "hosts" | "clusters">): RetirePlan {
  const living = inventory.hosts.filter((h) => h.state === "active" || h.state === "maintenance");
  const others = living.filter((h) => h.name !== host.name);
  const cluster = host.k3s.cluster;
  const members = others.filter((h) => cluster !== undefined && h.k3s.cluster === cluster);
  const servers = members.filter((h) => h.k3s.role === "server");
  const refusals = [
    ...lastBootstrap(host, others),
    ...lastServer(host, members, servers),
    ...quorum(host, servers, inventory),
  ];
  const isBootstrap = host.roles.includes("bootstrap");
  const affected = others.filter(
    (h) =>
      (isBootstrap && (h.mesh.bootstrapPeers.length === 0 || namesIt(h, host))) ||
      (host.k3s.role === "server" && members.includes(h)),
  );
  return {
    host: host.name,
    refusals,
    affected: affected.map((h) => h.name),
    steps: [
      ...(cluster === undefined
        ? []
        : [
            `kubectl drain ${nodeName(host)} --ignore-daemonsets --delete-emptydir-data`,
            `kubectl delete node ${nodeName(host)}`,
          ]),
      ...(affected.length > 0
        ? [`macula-fleet rollout   # ${affected.length} hosts stop naming ${host.name}`]
        : []),
      "revoke its portal credential, and take its key out of what it may still reach",
      "switch it off, or erase its disk, before somebody finds it",
    ],
  };
}

const nodeName = (host: Host): string => host.k3s.nodeName ?? host.name;

const namesIt = (h: Host, host: Host): boolean => {
  const address = hostAddressOf(host);
  return h.mesh.bootstrapPeers.some((peer) => peer.includes(address) || peer.includes(host.name));
};

function lastBootstrap(host: Host, others: readonly Host[]) {
  if (!host.roles.includes("bootstrap") || others.some((h) => h.roles.includes("bootstrap"))) return [];
  if (others.length === 0) return [];
  return [
    {
      message: `${host.name} is the last bootstrap: ${others.length} hosts would have nobody to join the mesh through`,
      fix: "give another host roles: [bootstrap] and roll that out first",
    },
  ];
}

function lastServer(host: Host, members: readonly Host[], servers: readonly Host[]) {
  if (host.k3s.role !== "server" || servers.length > 0 || members.length === 0) return [];
  return [
    {
      message: `${host.name} is the last server of cluster ${host.k3s.cluster}, which has ${members.length} agents`,
      fix: "make another host a server, or retire the agents first",
    },
  ];
}

/** Two of three etcd servers can go on; of two, none may go. */
function quorum(host: Host, servers: readonly Host[], { clusters }: Pick<Inventory, "clusters">) {
  const cluster = host.k3s.cluster === undefined ? undefined : clusters[host.k3s.cluster];
  if (host.k3s.role !== "server" || cluster?.datastore !== "etcd" || servers.length !== 1) return [];
  return [
    {
      message: `cluster ${cluster.name} would be left with one of two etcd servers, which is no majority`,
      fix: `remove ${host.name} from etcd first (kubectl delete node ${nodeName(host)}), or add a server`,
    },
  ];
}
