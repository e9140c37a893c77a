/** What retiring a host means for the others, what forbids it, and what is done, in order. Pure. */

import { hostAddressOf } from "../discover/peers.ts";
import type { Host, Inventory } from "../inventory/model.ts";

/** In this order; each is done at most once however often the command is started. */
export const STEPS = ["drain", "stop", "backup", "forget", "inventory", "wipe"] as const;
export type Step = (typeof STEPS)[number];

export interface RetireOptions {
  readonly backup: boolean;
  readonly wipe: boolean;
  /** It is not there any more: nothing is asked of it. */
  readonly gone: boolean;
}

export interface RetirePlan {
  readonly host: string;
  /** Reasons that forbid it. */
  readonly refusals: readonly { readonly message: string; readonly fix: string }[];
  /** Its place in a cluster, and the server that is asked to forget it; null: in none. */
  readonly cluster: { readonly name: string; readonly node: string; readonly server: string | null } | null;
  readonly steps: readonly { readonly step: Step; readonly does: string }[];
  /** What is left for people. */
  readonly afterwards: readonly string[];
  /** Hosts whose systems change with the next rollout because they name this one. */
  readonly affected: readonly string[];
}

export function planRetire(
  host: Host,
  inventory: Pick<Inventory, "hosts" | "clusters">,
  o: RetireOptions,
): RetirePlan {
  const living = inventory.hosts.filter((h) => h.state === "active" || h.state === "maintenance");
  const others = living.filter((h) => h.name !== host.name);
  const { cluster: name, role } = host.k3s;
  const members = others.filter((h) => name !== undefined && h.k3s.cluster === name);
  const further = Object.values(host.disk.data).map((d) => d.device);
  const servers = members.filter((h) => h.k3s.role === "server");
  const isBootstrap = host.roles.includes("bootstrap");
  const affected = others.filter(
    (h) =>
      (isBootstrap && (h.mesh.bootstrapPeers.length === 0 || namesIt(h, host))) ||
      (role === "server" && members.includes(h)),
  );
  const cluster =
    name === undefined || role === "none"
      ? null
      : { name, node: nodeName(host), server: servers[0]?.name ?? null };
  return {
    host: host.name,
    refusals: [
      ...lastBootstrap(host, others),
      ...lastServer(host, members, servers),
      ...quorum(host, servers, inventory),
    ],
    cluster,
    steps: stepsOf(cluster, o),
    affected: affected.map((h) => h.name),
    afterwards: [
      ...(cluster !== null && cluster.server === null && members.length > 0
        ? [`on a server of ${cluster.name}: kubectl delete node ${cluster.node}`]
        : []),
      ...(affected.length > 0
        ? [
            `macula-fleet rollout   # ${affected.length === 1 ? "1 host stops" : `${affected.length} hosts stop`} naming ${host.name}`,
          ]
        : []),
      "revoke its portal credential, and take its key out of what it may still reach",
      ...(o.wipe && further.length > 0
        ? [`erase ${further.join(", ")} if need be: --wipe leaves further disks as they are`]
        : []),
      ...(o.wipe ? [] : [`switch ${host.name} off before it restarts: nothing keeps it from coming back`]),
    ],
  };
}

function stepsOf(cluster: RetirePlan["cluster"], { backup, wipe, gone }: RetireOptions): RetirePlan["steps"] {
  const through = cluster?.server ?? null;
  const all: readonly (readonly [Step, boolean, string])[] = [
    ["drain", through !== null && !gone, `moves its pods to other nodes, through ${through}`],
    ["stop", !gone && (cluster !== null || backup), "stops k3s and what else writes on it"],
    ["backup", backup && !gone, "copies its state here, encrypted, and reads the archive again"],
    [
      "forget",
      through !== null,
      `deletes node ${cluster?.node} and its password from cluster ${cluster?.name}, through ${through}`,
    ],
    ["inventory", true, "writes state: retired into the inventory: rollouts leave it alone"],
    [
      "wipe",
      wipe && !gone,
      "ERASES its disk from an installer in its memory, reads it back, switches it off",
    ],
  ];
  return all.flatMap(([step, wanted, does]) => (wanted ? [{ step, does }] : []));
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
      fix: `add a third server first; or, on ${servers[0]?.name}, start etcd over with itself alone: k3s server --cluster-reset`,
    },
  ];
}
