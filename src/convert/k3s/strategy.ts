/** What becomes of the node's part in its cluster, or why it must not be converted now. Pure. */

export interface ClusterFacts {
  readonly role: "server" | "agent" | "none";
  readonly datastore: "sqlite" | "etcd" | "external" | "none";
  /** `1.23.3` */
  readonly version: string | null;
  /** Minor the new system will run: `1.35`. */
  readonly targetMinor: string;
  /** Versions of all servers, this one included if it is one; empty: unknown. */
  readonly serverVersions: readonly string[];
  readonly readyServers: number;
  /** 0: unknown. */
  readonly servers: number;
  /** Flux or Argo was seen, or the operator says so. */
  readonly workloadsInGit: boolean;
  readonly tokenKnown: boolean;
  /** KiB of local volumes, and how much may travel. */
  readonly volumes: number;
  readonly volumesLimit: number;
  /** The operator wants the datastore carried over although the default is a fresh cluster. */
  readonly carry: boolean;
}

export type Strategy =
  | {
      readonly ok: true;
      readonly kind: "none" | "rejoin" | "fresh" | "carry" | "etcd-member" | "external";
      readonly datastore: boolean;
      readonly why: string;
      readonly steps: readonly string[];
    }
  | { readonly ok: false; readonly reason: string; readonly fix: string };

export function chooseStrategy(f: ClusterFacts): Strategy {
  if (f.role === "none") return yes("none", false, "no k3s on this node", []);
  if (f.volumes > f.volumesLimit) {
    return no(
      `its volumes hold ${gib(f.volumes)}, more than ${gib(f.volumesLimit)}`,
      "allow more with --volumes-limit if the operator's disk and the line can take it, or move the data first",
    );
  }
  if (f.role === "agent") return agent(f);
  // One that is taken for the only one would neither be drained nor asked for its quorum.
  if (f.servers === 0) {
    return no(
      "how many servers its cluster has is not known",
      "start k3s on it, or name a reachable server of its cluster in the inventory",
    );
  }
  if (f.datastore === "external") {
    return f.tokenKnown
      ? yes("external", false, "its datastore is elsewhere and stays", [
          "keep the same token: it decrypts what the datastore holds",
          "convert the servers one after the other",
        ])
      : no(
          "the cluster's token is not known, and without it the datastore cannot be read",
          "read it on a server: /var/lib/rancher/k3s/server/token, and set tokenRef",
        );
  }
  return f.datastore === "etcd" && f.servers > 1 ? member(f) : single(f);
}

function agent(f: ClusterFacts): Strategy {
  const target = minor(f.targetMinor);
  if (f.serverVersions.length === 0)
    return no("its server's version is not known", "name a reachable server of its cluster in the inventory");
  const oldest = Math.min(...f.serverVersions.map(minor));
  if (oldest < target) {
    return no(
      `its server runs 1.${oldest}, and a kubelet (1.${target}) must not be newer`,
      "convert or upgrade the servers first, or pin k3s.packageMinor for this node",
    );
  }
  if (Math.max(...f.serverVersions.map(minor)) - target > 3) {
    return no(
      `its server runs 1.${Math.max(...f.serverVersions.map(minor))}, more than three minors ahead of 1.${target}`,
      "raise k3s.packageMinor for this node",
    );
  }
  return yes("rejoin", false, `same name and node password; servers run 1.${oldest}`, [
    "it rejoins under its name with its node password",
  ]);
}

function single(f: ClusterFacts): Strategy {
  const skew = f.version === null ? null : minor(f.targetMinor) - minor(f.version);
  if (f.carry) {
    if (skew === null) return no("its k3s version is not known", "run k3s --version there");
    if (skew < 0)
      return no(
        `the new system's k3s (${f.targetMinor}) is older than the datastore's (${f.version})`,
        "set k3s.packageMinor to the minor it runs",
      );
    if (skew > 1) {
      return no(
        `its datastore was written by ${f.version}; ${f.targetMinor} is ${skew} minors ahead, and k3s must not skip any`,
        `upgrade k3s on the node step by step up to 1.${minor(f.targetMinor) - 1}, or set k3s.packageMinor: "1.${minor(f.version ?? "")}" if this nixpkgs has it, or start afresh without --carry-datastore`,
      );
    }
    return yes("carry", true, `datastore, certificates and token move (${f.version} -> ${f.targetMinor})`, [
      "stop k3s, then copy",
      "workloads and CA stay the same",
    ]);
  }
  if (!f.workloadsInGit) {
    return no(
      "it is its cluster's only server, and nothing shows that the workloads are in git",
      "export them (kubectl get -A -o yaml is kept as evidence), then say --workloads-in-git; or move the datastore with --carry-datastore",
    );
  }
  return yes("fresh", false, "a new cluster with new CA and token; workloads come back from git", [
    "agents join the new cluster afterwards",
    "volumes are restored by path",
    "the old datastore stays in the archive",
  ]);
}

function member(f: ClusterFacts): Strategy {
  const quorum = Math.floor(f.servers / 2) + 1;
  if (f.readyServers - 1 < quorum) {
    return no(
      `${f.readyServers} of ${f.servers} servers are ready: without this one etcd has no quorum (${quorum})`,
      "bring the other servers up first",
    );
  }
  const versions = [...f.serverVersions.map(minor), minor(f.targetMinor)];
  if (versions.length > 1 && Math.max(...versions) - Math.min(...versions) > 1) {
    return no(
      `its servers and the new one would run minors ${[...new Set(versions)]
        .sort((a, b) => a - b)
        .map((v) => `1.${v}`)
        .join(", ")}: more than one apart`,
      "upgrade k3s step by step on the old servers, or pin k3s.packageMinor",
    );
  }
  return yes(
    "etcd-member",
    false,
    `leaves the cluster (${f.readyServers} of ${f.servers} ready) and joins again as a new member`,
    [
      "snapshot of etcd first",
      "delete its member, convert, rejoin",
      `wait for ${f.servers} healthy before the next`,
    ],
  );
}

/** `v1.23.3+k3s1` -> 23 */
export function minor(version: string): number {
  return Number(/^v?1\.(\d+)/.exec(version)?.[1] ?? Number.NaN);
}

const gib = (kib: number): string => `${(kib / 1024 / 1024).toFixed(1)} GiB`;
const yes = (
  kind: Extract<Strategy, { ok: true }>["kind"],
  datastore: boolean,
  why: string,
  steps: readonly string[],
): Strategy => ({ ok: true, kind, datastore, why, steps });
const no = (reason: string, fix: string): Strategy => ({ ok: false, reason, fix });
