/** A target as arguments of the system's `ssh`: the same address, key, user and trust as our own connections. Pure. */
import { quote } from "../kernel/shell.ts";
import type { Hop, Target } from "../transport/transport.ts";

export interface SshFiles {
  /** Known-hosts file with the keys the inventory pins; see `pinnedKeys`. */
  readonly pinned?: string;
}

/** Everything after `ssh`, without a remote command. */
export function sshArguments(target: Target, files: SshFiles = {}): readonly string[] {
  const outermostFirst = [...target.via];
  const jump = outermostFirst.reduce<string | undefined>(
    (through, hop) => proxyCommand(hop, target, files, through),
    undefined,
  );
  return [
    ...hopArguments(target, target, files),
    ...(jump === undefined ? [] : ["-o", `ProxyCommand=${jump}`]),
    "--",
    `${target.user}@${target.address}`,
  ];
}

/** `ProxyJump` would forget the bastion's own key and port, so each hop is spelled out; `through`: the hops before. */
function proxyCommand(hop: Hop, target: Target, files: SshFiles, through: string | undefined): string {
  const words = [
    "ssh",
    ...hopArguments(hop, target, files),
    ...(through === undefined ? [] : ["-o", `ProxyCommand=${through.replaceAll("%", "%%")}`]),
    "-W",
    "[%h]:%p",
    "--",
    `${hop.user}@${hop.address}`,
  ];
  return words.map(quote).join(" ");
}

function hopArguments(hop: Hop, target: Target, { pinned }: SshFiles): string[] {
  // Keys the inventory pins are the only ones that count.
  const known = hop.hostKeys.length > 0 ? pinned : target.knownHostsFile;
  const option = (name: string, value: string) => ["-o", `${name}=${value}`];
  return [
    "-F",
    target.sshConfigFile ?? "none",
    "-p",
    String(hop.port),
    ...(hop.identityFile === undefined ? [] : ["-i", hop.identityFile, ...option("IdentitiesOnly", "yes")]),
    ...option("StrictHostKeyChecking", target.hostKeyPolicy === "accept-new" ? "accept-new" : "yes"),
    ...(known === undefined ? [] : option("UserKnownHostsFile", fileName(known))),
    ...(hop.hostKeyAlias === undefined ? [] : option("HostKeyAlias", hop.hostKeyAlias)),
    ...option("ConnectTimeout", String(Math.max(1, Math.ceil(target.connectTimeoutMs / 1000)))),
  ];
}

/** As ssh_config wants a name with blanks; `%` would begin a token. */
const fileName = (path: string): string => {
  const plain = path.replaceAll("%", "%%");
  return /\s/.test(plain) ? `"${plain}"` : plain;
};

/** Lines for a known-hosts file: the keys the inventory pins, for every hop. Empty when it pins none. */
export function pinnedKeys(target: Target): string {
  return [target, ...target.via]
    .flatMap((hop) => hop.hostKeys.map((key) => `${keyName(hop)} ${key}\n`))
    .join("");
}

function keyName({ hostKeyAlias, address, port }: Hop): string {
  if (hostKeyAlias !== undefined) return hostKeyAlias;
  return port === 22 ? address : `[${address}]:${port}`;
}
