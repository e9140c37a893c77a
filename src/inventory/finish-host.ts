/** Merged statements -> `Host`: every default applied, every unit converted. */
import { parseDuration } from "./duration.ts";
import type { Layered } from "./layers.ts";
import type { Host, Role, SourcePosition, SshSettings } from "./model.ts";
import type { HostVars } from "./schema/host-vars.ts";

export const DEFAULT_USER = "macula";
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

interface FinishContext {
  /** Makes a path of the inventory absolute (`~`, relative to the inventory's directory). */
  readonly resolvePath: (path: string) => string;
  readonly source: SourcePosition;
}

export function finishHost(host: Layered, vars: HostVars, address: string, context: FinishContext): Host {
  const roles = rolesOf(vars);
  const { hardware, disk, network, k3s, mesh, identity, kernel, rollout } = vars;
  const boot = hardware?.boot ?? "uefi";
  return {
    name: host.name,
    address,
    port: vars.port ?? 22,
    user: vars.user ?? DEFAULT_USER,
    bastion: vars.bastion ?? null,
    connect: vars.connect ?? "ssh",
    site: host.site,
    groups: host.groups,
    roles,
    role: roles[0] ?? "peer",
    arch: vars.arch ?? "x86_64-linux",
    os: vars.os ?? "nixos",
    state: vars.state ?? "active",
    channel: vars.channel ?? "stable",
    convert: vars.convert ?? false,
    hardware: { ...hardware, boot, consoles: hardware?.consoles ?? [] },
    disk: {
      ...disk,
      device: disk?.device ?? (boot === "rpi" ? "image" : "facts"),
      layout: disk?.layout ?? "single-ext4",
      espSize: disk?.espSize ?? "1GiB",
      keep: disk?.keep ?? [],
      data: Object.fromEntries(
        Object.entries(disk?.data ?? {}).map(([name, data]) => [
          name,
          { ...data, fsType: data.fsType ?? "ext4", erase: data.erase ?? false },
        ]),
      ),
    },
    network: {
      dhcp: network?.dhcp ?? true,
      ...(network?.static === undefined
        ? {}
        : { static: { ...network.static, dns: network.static.dns ?? [] } }),
      dns: network?.dns ?? [],
      ntp: network?.ntp ?? [],
      wifi: network?.wifi ?? [],
    },
    k3s: {
      ...k3s,
      role: k3s?.role ?? "none",
      clusterInit: k3s?.clusterInit ?? false,
      labels: texts(k3s?.labels),
      taints: k3s?.taints ?? [],
      extraArgs: k3s?.extraArgs ?? [],
    },
    mesh: { ...mesh, bootstrapPeers: mesh?.bootstrapPeers ?? [], tlsMode: mesh?.tlsMode ?? "development" },
    identity: { ...identity, hostKeys: identity?.hostKeys ?? [] },
    users: Object.fromEntries(
      Object.entries(vars.users ?? {}).map(([name, user]) => [name, { ...user, keys: user.keys ?? [] }]),
    ),
    kernel: { modules: kernel?.modules ?? [], sysctls: texts(kernel?.sysctls) },
    files: vars.files ?? [],
    services: vars.services ?? {},
    backup: vars.backup ?? {},
    tags: vars.tags ?? [],
    labels: texts(vars.labels),
    rollout: { ...rollout, order: rollout?.order ?? 0 },
    build: { on: vars.build?.on ?? "local" },
    ssh: sshSettings(vars.ssh, context.resolvePath),
    checks: vars.health?.checks ?? [],
    ...(vars.stateVersion === undefined ? {} : { stateVersion: vars.stateVersion }),
    ...(vars.note === undefined ? {} : { note: vars.note }),
    source: context.source,
  };
}

/** Most careful role first; `peer` only when alone. */
function rolesOf(vars: HostVars): readonly Role[] {
  const stated = vars.roles ?? [];
  const roles = (["bootstrap", "gateway"] as const).filter((role) => stated.includes(role));
  return roles.length > 0 ? roles : ["peer"];
}

function sshSettings(ssh: HostVars["ssh"], resolvePath: (path: string) => string): SshSettings {
  return {
    connectTimeoutMs: parseDuration(ssh?.connectTimeout ?? "") ?? DEFAULT_CONNECT_TIMEOUT_MS,
    ...(ssh?.identityFile === undefined ? {} : { identityFile: resolvePath(ssh.identityFile) }),
    ...(ssh?.knownHosts === undefined ? {} : { knownHostsFile: resolvePath(ssh.knownHosts) }),
    ...(ssh?.configFile === undefined ? {} : { configFile: resolvePath(ssh.configFile) }),
    hostKeyPolicy: ssh?.hostKeyPolicy ?? "strict",
    elevate: ssh?.elevate ?? "auto",
  };
}

const texts = (
  map: Readonly<Record<string, string | number | boolean>> | undefined,
): Record<string, string> =>
  Object.fromEntries(Object.entries(map ?? {}).map(([key, value]) => [key, String(value)]));
