/** What was read of a node: its files under the paths they have on the running node. Pure. */

export interface NodeFiles {
  /** Text of a file, or undefined. */
  text(path: string): string | undefined;
  /** Paths directly or deeper below a directory, sorted. */
  below(directory: string): readonly string[];
}

/** How a rebranded k3OS and the original name the same things. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^\/var\/lib\/rancher\/k3os\//, "/var/lib/maculaos/"],
  [/^\/k3os\/system\//, "/macula/system/"],
  [/^\/home\/rancher\//, "/home/macula/"],
];

/** `./k3os/data/var/lib/…` of an unmounted disk, `var/lib/…` of a copied root: -> `/var/lib/…`. */
export function runningPath(path: string): string {
  const absolute = `/${path.replace(/^(?:\.?\/)+/, "")}`;
  const running = absolute.replace(/^\/(?:macula|k3os)\/data\//, "/");
  return RENAMED.reduce((p, [from, to]) => p.replace(from, to), running);
}

export function nodeFiles(files: Iterable<readonly [path: string, text: string]>): NodeFiles {
  const byPath = new Map<string, string>();
  for (const [path, text] of files) byPath.set(runningPath(path), text);
  // The same thing under the name it has in the running root wins over the place it is bound from.
  const paths = [...byPath.keys()].sort();
  return {
    text: (path) => byPath.get(path),
    below: (directory) => paths.filter((p) => p.startsWith(`${directory.replace(/\/$/, "")}/`)),
  };
}

/** What an importer looks at; the live reader and the tarball reader take these and nothing else. */
export const SOURCES: readonly string[] = [
  "/macula/system/config.yaml",
  "/k3os/system/config.yaml",
  "/var/lib/maculaos",
  "/var/lib/rancher/k3os",
  "/var/lib/connman",
  "/var/lib/rancher/k3s/server/token",
  "/var/lib/rancher/k3s/server/node-token",
  "/var/lib/rancher/k3s/server/agent-token",
  "/run/config",
  "/home/macula/.ssh/authorized_keys",
  "/home/rancher/.ssh/authorized_keys",
  "/etc/rancher/k3s",
  "/etc/cron.d",
  "/etc/crypttab",
  "/etc/fstab",
  "/etc/os-release",
  "/etc/hostname",
];

/** Below `SOURCES`, but state rather than configuration: never read into memory. */
export const NOT_CONFIG = /^\/var\/lib\/(?:maculaos|rancher\/k3os)\/(?:git|nats|backups|node|ssh)\//;
