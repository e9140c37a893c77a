/** What is on a k3OS node, and what becomes of it: the table a conversion is checked against. Pure. */
import { runningPath } from "../import/node-files.ts";

/**
 * `keep`: on the new system again. `archive`: stays with the operator, in the archive only (it was mapped into the
 * inventory, or is of no use there). `drop`: made again by itself; not even copied.
 */
export type Action = "keep" | "archive" | "drop";

export type ProofName =
  | "host-keys"
  | "identity"
  | "same-files"
  | "same-inventory"
  | "cluster-ca"
  | "datastore"
  | "tree"
  | "login-keys"
  | "none";

export interface KeepRow {
  readonly id: string;
  readonly what: string;
  readonly action: Action;
  /** Paths on the running node, themselves and all below; `*` stands for anything but a slash. */
  readonly paths: readonly string[];
  /** Never, although a path above says so. */
  readonly except?: readonly RegExp[];
  /** It moves: prefix on the old system -> prefix on the new one. */
  readonly moves?: Readonly<Record<string, string>>;
  /** Only when the cluster's datastore is carried over; else it is archived. */
  readonly withDatastore?: true;
  /** User data: its size is limited. */
  readonly bulk?: true;
  readonly proof: ProofName;
}

const OS = "/var/lib/maculaos";
const K3S = "/var/lib/rancher/k3s";

export const KEEP: readonly KeepRow[] = [
  {
    id: "host-keys",
    what: "SSH host keys",
    action: "keep",
    paths: ["/etc/ssh/ssh_host_*", `${OS}/ssh/ssh_host_*`],
    moves: { [`${OS}/ssh/`]: "/etc/ssh/" },
    proof: "host-keys",
  },
  {
    id: "identity",
    what: "mesh identity",
    action: "keep",
    paths: [`${OS}/identity.json`],
    proof: "identity",
  },
  {
    id: "pairing",
    what: "pairing with the portal",
    action: "keep",
    paths: [
      "portal-token.json",
      "credentials",
      "console-token",
      "api-key",
      "paired",
      ".configured",
      "first-boot",
    ].map((f) => `${OS}/${f}`),
    proof: "same-files",
  },
  { id: "ca", what: "own certificate authorities", action: "keep", paths: [`${OS}/ca`], proof: "same-files" },
  {
    id: "configuration",
    what: "k3OS configuration",
    action: "archive",
    paths: [
      ...[
        "mesh.yaml",
        "health.yaml",
        "backup.yaml",
        "config.yaml",
        "config.d",
        "hostname",
        "mesh-role",
        "realm",
      ].map((f) => `${OS}/${f}`),
      "/macula/system/config.yaml",
      "/k3os/system/config.yaml",
      "/etc/cron.d",
      "/etc/rancher/k3s",
    ],
    proof: "same-inventory",
  },
  {
    id: "node-password",
    what: "k3s node password",
    action: "keep",
    paths: ["/etc/rancher/node/password", `${OS}/node/password`],
    moves: { [`${OS}/node/`]: "/etc/rancher/node/" },
    proof: "same-files",
  },
  {
    id: "join-tokens",
    what: "cluster tokens",
    action: "keep",
    paths: ["token", "agent-token", "node-token"].map((f) => `${K3S}/server/${f}`),
    withDatastore: true,
    proof: "cluster-ca",
  },
  {
    id: "cluster-ca",
    what: "cluster certificates and keys",
    action: "keep",
    paths: [`${K3S}/server/tls`, `${K3S}/server/cred`],
    withDatastore: true,
    proof: "same-files",
  },
  {
    id: "datastore",
    what: "cluster datastore",
    action: "keep",
    paths: [`${K3S}/server/db`],
    withDatastore: true,
    proof: "datastore",
  },
  {
    id: "volumes",
    what: "persistent volumes (local-path)",
    action: "keep",
    paths: [`${K3S}/storage`],
    bulk: true,
    proof: "tree",
  },
  {
    id: "user-data",
    what: "user data",
    action: "keep",
    paths: ["/var/lib/data", "/opt", "/home/macula", "/home/rancher"],
    except: [
      /^\/home\/(?:macula|rancher)\/\.ssh\/authorized_keys$/,
      /^\/home\/(?:macula|rancher)\/kexec(?:\/|$)/,
    ],
    moves: { "/home/rancher": "/home/macula" },
    bulk: true,
    proof: "tree",
  },
  {
    id: "login-keys",
    what: "keys that may log in",
    action: "archive",
    paths: ["/home/macula/.ssh/authorized_keys", "/home/rancher/.ssh/authorized_keys"],
    proof: "login-keys",
  },
  {
    id: "images",
    what: "preloaded container images",
    action: "keep",
    paths: [`${K3S}/agent/images`],
    bulk: true,
    proof: "tree",
  },
  {
    id: "manifests",
    what: "manifests of your own",
    action: "keep",
    paths: [`${K3S}/server/manifests`],
    // What k3s and k3OS bring along: the new system has its own, and system-upgrade would bring k3OS back.
    except: [
      /\/manifests\/(?:system-upgrade[^/]*|coredns\.yaml|local-storage\.yaml|rolebindings\.yaml|traefik\.yaml|ccm\.yaml|runtimes\.yaml|metrics-server(?:\/.*)?)$/,
    ],
    proof: "same-files",
  },
  { id: "git", what: "git repositories", action: "keep", paths: [`${OS}/git`], proof: "tree" },
  { id: "nats", what: "JetStream", action: "keep", paths: [`${OS}/nats`], proof: "tree" },
  {
    id: "backups",
    what: "old backups",
    action: "archive",
    paths: [`${OS}/backups`],
    bulk: true,
    proof: "none",
  },
  {
    id: "network",
    what: "Wi-Fi and static addresses",
    action: "archive",
    paths: ["/var/lib/connman"],
    proof: "same-inventory",
  },
  {
    id: "agent-state",
    what: "containers and kubelet certificates",
    action: "drop",
    paths: [
      `${K3S}/agent/containerd`,
      `${K3S}/agent/etc`,
      `${K3S}/agent/*.crt`,
      `${K3S}/agent/*.key`,
      `${K3S}/agent/*.kubeconfig`,
    ],
    proof: "none",
  },
  {
    id: "volatile",
    what: "logs, machine id, temporary files",
    action: "drop",
    paths: ["/var/log", "/tmp", "/etc/machine-id"],
    proof: "none",
  },
];

/** What goes into the archive, as the old system names it (of an original k3OS, too). */
export function archivedPaths(): readonly string[] {
  const paths = KEEP.filter((row) => row.action !== "drop").flatMap((row) => row.paths);
  const legacy = paths
    .filter((p) => p.startsWith(`${OS}/`))
    .map((p) => p.replace(OS, "/var/lib/rancher/k3os"));
  return [...new Set([...paths, ...legacy])];
}

export interface Fate {
  readonly row: KeepRow;
  readonly action: Action;
  /** Path on the new system; null: nowhere. */
  readonly to: string | null;
}

/** `path` as the archive has it, without a leading slash or with one. Null: in no row. */
export function fateOf(path: string, o: { readonly datastore: boolean }): Fate | null {
  const running = runningPath(path);
  const row = KEEP.find(
    (r) => r.paths.some((pattern) => covers(pattern, running)) && !r.except?.some((e) => e.test(running)),
  );
  if (row === undefined) return null;
  const action = row.withDatastore && !o.datastore && row.action === "keep" ? "archive" : row.action;
  if (action !== "keep") return { row, action, to: null };
  const move = Object.entries(row.moves ?? {}).find(([from]) => running.startsWith(from));
  return { row, action, to: move ? move[1] + running.slice(move[0].length) : running };
}

function covers(pattern: string, path: string): boolean {
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
  // `s`: a name may hold a newline.
  return new RegExp(`^${source}(?:/.*)?$`, "s").test(path);
}

/** Where kept things are on the new system: patterns to list them by. */
export function keptPaths(): readonly string[] {
  const paths = KEEP.filter((row) => row.action === "keep").flatMap((row) =>
    row.paths.map((path) => {
      const move = Object.entries(row.moves ?? {}).find(([from]) => path.startsWith(from));
      return move ? move[1] + path.slice(move[0].length) : path;
    }),
  );
  return [...new Set(paths)];
}

/** Rows whose content lives: once the new system runs, it changes them. They are compared before it starts. */
export const isLiving = (row: KeepRow): boolean =>
  row.proof === "tree" || row.proof === "datastore" || row.id === "manifests";
