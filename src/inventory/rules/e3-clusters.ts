import { error, type Path, warning } from "../findings.ts";
import type { Cluster, Host } from "../model.ts";
import { summarizeNames } from "../ranges.ts";
import { field, groupBy, livingHosts, type Rule, type RuleInput } from "./rule.ts";

interface Members {
  readonly cluster: Cluster;
  readonly path: Path;
  readonly servers: readonly Host[];
  readonly agents: readonly Host[];
}

const names = (hosts: readonly Host[]): string => summarizeNames(hosts.map(({ name }) => name));

function* clustersWithMembers({ inventory }: RuleInput): Generator<Members> {
  const members = groupBy(livingHosts(inventory), ({ k3s }) =>
    k3s.role === "none" ? undefined : k3s.cluster,
  );
  for (const cluster of Object.values(inventory.clusters)) {
    const hosts = members.get(cluster.name) ?? [];
    yield {
      cluster,
      path: ["clusters", cluster.name],
      servers: hosts.filter(({ k3s }) => k3s.role === "server"),
      agents: hosts.filter(({ k3s }) => k3s.role === "agent"),
    };
  }
}

/** E301, E302, E303: who serves whom. */
export const clusterServers: Rule = function* (input) {
  for (const { cluster, path, servers, agents } of clustersWithMembers(input)) {
    const { name, datastore, external, perHost } = cluster;
    if (perHost) {
      if (agents.length > 0) {
        yield error(
          "E301",
          path,
          `cluster ${name} is perHost, so every host is its own server; agents: ${names(agents)}`,
          {
            point: "key",
            fix: "Set k3s.role: server, or give them another cluster.",
          },
        );
      }
      continue;
    }
    if (agents.length > 0 && servers.length === 0 && !external) {
      yield error("E301", path, `cluster ${name} has agents (${names(agents)}) but no server`, {
        point: "key",
        fix: "Give a host k3s.role: server, or set external: true and serverAddr.",
      });
    }
    if (servers.length > 1 && datastore === "sqlite") {
      yield error(
        "E302",
        path,
        `cluster ${name}: ${servers.length} servers need datastore: etcd (sqlite takes one)`,
        {
          point: "key",
          fix: "Set datastore: etcd.",
        },
      );
    }
    if (servers.length > 0 && datastore === "etcd" && ![1, 3, 5].includes(servers.length)) {
      yield warning("E303", path, `cluster ${name}: ${servers.length} etcd servers; use 1, 3 or 5`, {
        point: "key",
      });
    }
    if (external && cluster.serverAddr === undefined && agents.length > 0) {
      yield error("E308", path, `cluster ${name} is external but has no serverAddr`, {
        point: "key",
        fix: "Set serverAddr: https://name:6443.",
      });
    }
  }
};

/** E309: servers of an external datastore must be told where it is. */
export const clusterDatastore: Rule = function* (input) {
  for (const { cluster, path, servers } of clustersWithMembers(input)) {
    const { name, datastore, datastoreRef } = cluster;
    if (datastore === "external" && datastoreRef === undefined && servers.length > 0) {
      yield error("E309", path, `datastoreRef missing for cluster ${name} (datastore: external)`, {
        point: "key",
        fix: "Add datastoreRef: sops:FILE#path; the value is the endpoint, such as postgres://….",
      });
    }
    if (datastore !== "external" && datastoreRef !== undefined) {
      yield error(
        "E309",
        [...path, "datastoreRef"],
        `cluster ${name} has datastoreRef but datastore: ${datastore}`,
        {
          point: "key",
          fix: "Set datastore: external, or leave datastoreRef out.",
        },
      );
    }
  }
};

/** E304, E305: one beginning, no two nodes of a name. */
export const clusterIdentity: Rule = function* (input) {
  for (const { cluster, servers, agents } of clustersWithMembers(input)) {
    if (cluster.perHost) continue;
    const [first, second] = servers.filter(({ k3s }) => k3s.clusterInit);
    if (first !== undefined && second !== undefined) {
      const { path, from } = field(input, second, "k3s", "clusterInit");
      yield error(
        "E304",
        path,
        `cluster ${cluster.name}: clusterInit on both ${first.name} and ${second.name}`,
        {
          from,
          fix: "Keep it on the server that starts the cluster.",
        },
      );
    }
    const nodes = groupBy([...servers, ...agents], ({ name, k3s }) => k3s.nodeName ?? name);
    for (const [node, [a, b]] of nodes) {
      if (a === undefined || b === undefined) continue;
      const { path, from } = field(input, b, "k3s", "nodeName");
      yield error(
        "E305",
        path,
        `node names must be unique in a cluster: ${a.name} and ${b.name} use "${node}"`,
        {
          from,
          fix: "Leave nodeName out; the host's name is used.",
        },
      );
    }
  }
};

/** E306, E307: joining needs a token, and kubelets may not be newer than their API server. */
export const clusterJoining: Rule = function* (input) {
  for (const { cluster, path, servers, agents } of clustersWithMembers(input)) {
    if (cluster.perHost) continue;
    if (cluster.tokenRef === undefined && servers.length + agents.length > (cluster.external ? 0 : 1)) {
      const who = `${servers.length} server${servers.length === 1 ? "" : "s"}, ${agents.length} agent${agents.length === 1 ? "" : "s"}`;
      yield error("E306", path, `tokenRef missing for cluster ${cluster.name} (${who})`, {
        point: "key",
        fix: "Add tokenRef: sops:FILE#path.",
      });
    }
    const oldest = servers.reduce<Host | undefined>(
      (low, host) => (minor(host) < minor(low) ? host : low),
      undefined,
    );
    const newest = agents.reduce<Host | undefined>(
      (high, host) =>
        host.k3s.packageMinor !== undefined && minor(host) > (high === undefined ? 0 : minor(high))
          ? host
          : high,
      undefined,
    );
    if (oldest?.k3s.packageMinor === undefined || newest === undefined || minor(newest) <= minor(oldest))
      continue;
    const { path: at, from } = field(input, newest, "k3s", "packageMinor");
    const message = `packageMinor: agents (${newest.k3s.packageMinor}) newer than servers (${oldest.k3s.packageMinor})`;
    yield error("E307", at, message, { from, fix: `Raise the servers of cluster ${cluster.name} first.` });
  }
};

/** 1.35 -> 35; unknown counts as newest, so that it is never the oldest. */
const minor = (host: Host | undefined): number =>
  host?.k3s.packageMinor === undefined ? Number.POSITIVE_INFINITY : Number(host.k3s.packageMinor.slice(2));
