/**
 * Real host-key checking for nixos-anywhere, which itself says `StrictHostKeyChecking=no`. OpenSSH takes the first
 * value it is given: an `ssh` of ours comes first in PATH (ssh-copy-id and nix find it there, too) and puts our
 * options in front. The machine is addressed by a name that resolves nowhere but in our configuration, so that a call
 * that got past this `ssh` reaches nobody instead of anybody. Pure.
 */
import { quote } from "../../kernel/shell.ts";
import { bareKey } from "../../transport/public-key.ts";
import type { Target } from "../../transport/transport.ts";

export interface Route {
  readonly target: Target;
  /** Public keys the machine may prove itself with; empty: the operator's known_hosts decides. */
  readonly hostKeys: readonly string[];
}

/** RFC 2606: never resolves. */
export const routeName = (name: string): string => `${name}.macula-fleet.invalid`;
const hopName = (name: string, i: number): string => `hop-${i}.${routeName(name)}`;

export interface RouteFiles {
  readonly config: string;
  readonly knownHosts: string;
}

/** An ssh_config and a known_hosts; `knownHostsPath`: where the latter will be. */
export function routeFiles(route: Route, knownHostsPath: string): RouteFiles {
  const { target, hostKeys } = route;
  const name = routeName(target.name);
  const own = `"${knownHostsPath}"`;
  const others = target.knownHostsFile === undefined ? "" : ` "${target.knownHostsFile}"`;
  const known = (keys: readonly string[], alias: string | undefined) =>
    keys.length > 0
      ? [`UserKnownHostsFile ${own}`, "GlobalKnownHostsFile /dev/null"]
      : [
          ...(others === "" ? [] : [`UserKnownHostsFile${others}`]),
          ...(alias === undefined ? [] : [`HostKeyAlias ${alias}`]),
        ];
  const block = (alias: string, options: readonly string[]) =>
    [`Host ${alias}`, ...options.map((o) => `  ${o}`), ""].join("\n");
  const jump = (i: number) => (i < 1 ? [] : [`ProxyJump ${hopName(target.name, i)}`]);
  const common = [
    "StrictHostKeyChecking yes",
    "BatchMode yes",
    `ConnectTimeout ${seconds(target.connectTimeoutMs)}`,
    "ServerAliveInterval 15",
    "ServerAliveCountMax 4",
    "ControlPath none",
    "ForwardAgent no",
  ];
  const hops = target.via.map((hop, index) =>
    block(hopName(target.name, index + 1), [
      `HostName ${hop.address}`,
      `Port ${hop.port}`,
      `User ${hop.user}`,
      ...(hop.identityFile === undefined ? [] : [`IdentityFile "${hop.identityFile}"`]),
      ...(hop.hostKeys.length > 0 ? [`HostKeyAlias ${hopName(target.name, index + 1)}`] : []),
      ...known(hop.hostKeys, hop.hostKeyAlias ?? knownAs(hop)),
      ...jump(index),
      ...common,
    ]),
  );
  const own_ = block(name, [
    `HostName ${target.address}`,
    ...(target.identityFile === undefined ? [] : [`IdentityFile "${target.identityFile}"`]),
    ...(hostKeys.length > 0 ? [`HostKeyAlias ${name}`] : []),
    ...known(hostKeys, target.hostKeyAlias ?? knownAs(target)),
    ...jump(target.via.length),
    ...common,
  ]);
  const lines = (alias: string, keys: readonly string[]) =>
    keys.map((key) => `${alias} ${bareKey(key)}\n`).join("");
  return {
    config: [own_, ...hops].join("\n"),
    knownHosts:
      lines(name, hostKeys) +
      target.via.map((hop, i) => lines(hopName(target.name, i + 1), hop.hostKeys)).join(""),
  };
}

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

/** What OpenSSH itself would look up: our names are nobody's. */
const knownAs = (hop: { readonly address: string; readonly port: number }): string =>
  hop.port === 22 ? hop.address : `[${hop.address}]:${hop.port}`;

/** The `ssh` of a run: for every machine of the run our words first, its own after them. */
export function shimScript(ssh: string, config: string, options: readonly string[]): string {
  return `#!/bin/sh
# Host keys are checked, whatever the caller says: of two values for an option, ssh takes the first.
exec ${[ssh, "-F", config, ...options.flatMap((o) => ["-o", o])].map(quote).join(" ")} "$@"
`;
}

/** The options nixos-anywhere would overrule: said on the command line, before its own. */
export function firstOptions(route: Route, knownHostsPath: string): readonly string[] {
  const { target, hostKeys } = route;
  const files = hostKeys.length > 0 ? knownHostsPath : target.knownHostsFile;
  return [
    "StrictHostKeyChecking=yes",
    `ConnectTimeout=${seconds(target.connectTimeoutMs)}`,
    ...(files === undefined ? ["UserKnownHostsFile=~/.ssh/known_hosts"] : [`UserKnownHostsFile=${files}`]),
  ];
}
