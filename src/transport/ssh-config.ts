import { join } from "node:path";
import SSHConfig from "ssh-config";
import { FleetError } from "../errors.ts";
import { hopLabel, type ResolvedHop, type ResolvedTarget } from "./resolved.ts";
import { readWithIncludes } from "./ssh-config-file.ts";
import type { Hop, Target } from "./transport.ts";

export interface Surroundings {
  /** The operator's home directory, for `~` and `%d`. */
  readonly home: string;
  readonly localUser: string | undefined;
  /** Used when neither the target nor the ssh_config names any. */
  readonly knownHostsFiles: readonly [string, ...string[]];
}

type Settings = Readonly<Record<string, string | readonly string[] | undefined>>;
type Lookup = (alias: string, user: string | undefined) => Settings;

/** A bastion that stands before itself in ProxyJump would go on for ever. */
const MAX_BASTIONS = 8;

/**
 * Applies the target's ssh_config, if it names one. What the inventory states explicitly wins; the config
 * supplies HostName, User, Port, IdentityFile, HostKeyAlias, ProxyJump and UserKnownHostsFile.
 * Rejects with `usage` for a missing file, broken syntax or ProxyCommand.
 */
export async function resolveTarget(target: Target, around: Surroundings): Promise<ResolvedTarget> {
  const lookup = await loadConfig(target.sshConfigFile, around);
  const settings = lookup(target.address, explicit(target, "user"));
  const jumps = target.via.length > 0 ? target.via : proxyJumps(settings, target, lookup, around);
  const configured = words(settings.userknownhostsfile).filter((file) => file !== "none");
  const context = { host: target.address, port: target.port, user: target.user, around };
  const files = target.knownHostsFile === undefined ? configured : [target.knownHostsFile];
  const [first, ...rest] = files.map((file) => expandPath(file, context));
  return {
    name: target.name,
    bastions: jumps.map((hop) => resolveHop(hop, "bastion", lookup, around)),
    host: resolveHop(target, "host", lookup, around),
    knownHostsFiles: first === undefined ? around.knownHostsFiles : [first, ...rest],
    hostKeyPolicy: target.hostKeyPolicy,
    connectTimeoutMs: target.connectTimeoutMs,
  };
}

function resolveHop(hop: Hop, role: ResolvedHop["role"], lookup: Lookup, around: Surroundings): ResolvedHop {
  const settings = lookup(hop.address, explicit(hop, "user"));
  if (settings.proxycommand !== undefined && text(settings.proxycommand) !== "none") {
    throw new FleetError("usage", `ssh_config: ProxyCommand for ${hop.address} is not supported`, {
      hint: "Use ProxyJump, or a bastion in the inventory.",
    });
  }
  const port = explicit(hop, "port") ?? Number(text(settings.port) ?? hop.port);
  const user = explicit(hop, "user") ?? text(settings.user) ?? hop.user;
  const address = (text(settings.hostname) ?? hop.address)
    .replaceAll("%h", hop.address)
    .replaceAll("%%", "%");
  const context = { host: address, port, user, around };
  const keys = hop.identityFile === undefined ? words(settings.identityfile) : [hop.identityFile];
  const label = hopLabel({ user, address, port });
  return {
    label: role === "bastion" ? `bastion ${label}` : label,
    role,
    address,
    port,
    user,
    hostKeys: hop.hostKeys,
    keyName: hop.hostKeyAlias ?? text(settings.hostkeyalias) ?? address,
    identityFiles: keys.filter((key) => key !== "none").map((key) => expandPath(key, context)),
  };
}

/** The value if the inventory states it, undefined if it is only a default. */
function explicit<K extends "port" | "user">(hop: Hop, field: K): Hop[K] | undefined {
  return hop.defaulted?.includes(field) === true ? undefined : hop[field];
}

/** `ProxyJump a,user@b:2222` as hops, outermost first; the first one's own ProxyJump comes before it. */
function proxyJumps(
  settings: Settings,
  target: Target,
  lookup: Lookup,
  around: Surroundings,
): readonly Hop[] {
  const hops: Hop[] = [];
  let spec = text(settings.proxyjump);
  while (spec !== undefined && spec !== "none") {
    hops.unshift(...spec.split(",").map((jump) => parseJump(jump.trim(), around.localUser ?? target.user)));
    const first = hops[0];
    if (first === undefined) break;
    if (hops.length > MAX_BASTIONS) {
      throw new FleetError(
        "usage",
        `ssh_config: ProxyJump for ${target.address} goes through more than ${MAX_BASTIONS} bastions`,
        {
          hint: "Does a bastion match a Host block that names the bastion itself? Exclude it: Host * !bastion",
        },
      );
    }
    spec = text(lookup(first.address, explicit(first, "user")).proxyjump);
  }
  return hops;
}

function parseJump(spec: string, defaultUser: string): Hop {
  const found = /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?\/?$/.exec(spec);
  const address = found?.[2] ?? found?.[3];
  if (address === undefined) throw new FleetError("usage", `ssh_config: cannot read ProxyJump ${spec}`);
  const [user, port] = [found?.[1], found?.[4]];
  return {
    address,
    user: user ?? defaultUser,
    port: port === undefined ? 22 : Number(port),
    hostKeys: [],
    defaulted: [
      ...(user === undefined ? (["user"] as const) : []),
      ...(port === undefined ? (["port"] as const) : []),
    ],
  };
}

async function loadConfig(file: string | undefined, around: Surroundings): Promise<Lookup> {
  if (file === undefined) return () => ({});
  const path = expandTilde(file, around.home);
  const content = await readWithIncludes(path, around.home);
  try {
    const config = SSHConfig.parse(content);
    // matchExec off: reading a config must not run programs.
    return (alias, user) =>
      config.compute(
        { Host: alias, ...(user === undefined ? {} : { User: user }) },
        { ignoreCase: true, matchExec: false },
      );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FleetError("usage", `ssh_config ${path} cannot be parsed: ${reason}`, { cause });
  }
}

interface TokenContext {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly around: Surroundings;
}

/** `~` and the %-tokens of ssh_config(5) that make sense in a path. */
function expandPath(path: string, { host, port, user, around }: TokenContext): string {
  const tokens: Readonly<Record<string, string>> = {
    "%": "%",
    d: around.home,
    h: host,
    p: String(port),
    r: user,
    u: around.localUser ?? user,
  };
  return expandTilde(
    path.replace(/%([%dhpru])/g, (whole, token: string) => tokens[token] ?? whole),
    around.home,
  );
}

function expandTilde(path: string, home: string): string {
  return path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path;
}

function words(value: Settings[string]): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

function text(value: Settings[string]): string | undefined {
  return words(value)[0];
}
