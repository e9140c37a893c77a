/** What a conversion will do to one node: an installation, and what is kept around it. Pure. */
import type { HostFacts } from "../host/protocol.ts";
import type { NeedsHuman } from "../import/contribution.ts";
import type { Refusal } from "../install/checks/index.ts";
import { type InstallInput, type InstallPlan, planInstall } from "../install/plan.ts";
import type { Host } from "../inventory/model.ts";
import { judgeConversion } from "./gates.ts";
import type { NodeRecord } from "./k3s/kubectl.ts";
import { type ClusterFacts, chooseStrategy, type Strategy } from "./k3s/strategy.ts";
import { type Action, KEEP } from "./keep.ts";
import { keyLabel, loginKeysIn } from "./login-keys.ts";
import type { Survey } from "./survey.ts";

export interface Conversion {
  readonly host: string;
  readonly survey: Survey;
  readonly strategy: Strategy;
  readonly refusals: readonly Refusal[];
  readonly needsHuman: readonly NeedsHuman[];
  readonly kept: readonly {
    readonly id: string;
    readonly what: string;
    readonly action: Action;
    readonly kib: number;
  }[];
  /** KiB that will be copied to the operator. */
  readonly archiveKib: number;
  /** Minutes without this node, at `mbps`. */
  readonly downtimeMinutes: number;
  /** As its cluster knows it; null: not known there. */
  readonly node: { readonly name: string; readonly uid: string } | null;
  /** Host of the inventory through which the cluster is spoken to; null: nobody. */
  readonly server: string | null;
  /** Keys that may log in now and are not in the inventory: a person has said that they may go. */
  readonly keysLeft: readonly string[];
  /** What was read of it before: the same must come out of the archive. */
  readonly imported: string;
}

export interface ConversionPlan extends InstallPlan {
  readonly conversion: Conversion;
}

export interface ConversionInput extends Omit<InstallInput, "hosts" | "facts" | "reinstall" | "silent"> {
  readonly host: Host;
  readonly facts: HostFacts;
  readonly survey: Survey;
  /** Of its cluster. */
  readonly nodes: readonly NodeRecord[];
  /** Why they could not be read; null: they could, or there is no cluster. */
  readonly nodesProblem: string | null;
  readonly server: string | null;
  readonly needsHuman: readonly NeedsHuman[];
  /** Keys that may log in on it, `type base64`. */
  readonly loginKeys: readonly string[];
  readonly imported: string;
  readonly targetMinor: string;
  readonly workloadsInGit: boolean;
  readonly carry: boolean;
  /** KiB. */
  readonly volumesLimit: number;
  /** Of the line between node and operator, Mbit/s. */
  readonly mbps: number;
}

/** The machine itself, as it will be: planned like any installation. */
export const asNixos = (host: Host): Host => ({ ...host, os: "nixos" });

export function planConversion(input: ConversionInput): ConversionPlan {
  const { host, facts, survey } = input;
  const install = planInstall({
    ...input,
    hosts: [asNixos(host)],
    facts: new Map([[host.name, facts]]),
    silent: new Map(),
    reinstall: false,
  });
  const node = input.nodes.find((n) => n.name === nodeName(host));
  const strategy = chooseStrategy(clusterFacts(input));
  const found = [
    ...judgeConversion(host, facts, survey),
    ...(install.refusals[host.name] ?? leftOut(host, install)),
    ...(survey.role !== "none" && node === undefined ? [withoutNode(input)] : []),
  ];
  const keysLeft = keysNotIn(host, input.loginKeys);
  const kept = KEEP.map((row) => ({
    id: row.id,
    what: row.what,
    action: row.withDatastore && strategy.ok && !strategy.datastore ? ("archive" as const) : row.action,
    kib: row.paths.reduce((sum, path) => sum + (survey.sizes[path] ?? 0), 0),
  }));
  const archiveKib = kept.reduce((sum, k) => sum + (k.action === "drop" ? 0 : k.kib), 0);
  const conversion: Conversion = {
    host: host.name,
    survey,
    strategy,
    refusals: found,
    needsHuman: [...input.needsHuman, ...(keysLeft.length > 0 ? [aboutKeys(host, keysLeft)] : [])],
    kept,
    archiveKib,
    downtimeMinutes: downtime(archiveKib, install.hosts[0]?.closureBytes ?? 0, input.mbps),
    node: node ? { name: node.name, uid: node.uid } : null,
    server: input.server,
    keysLeft,
    imported: input.imported,
  };
  // Sizes move from minute to minute; what is decided does not.
  const decisive = {
    install: install.hash,
    strategy,
    refusals: conversion.refusals,
    needsHuman: conversion.needsHuman,
  };
  return { ...install, hash: input.digest(JSON.stringify(decisive)), conversion };
}

/** Refused, or a person has to decide something first. */
export const isRefused = (c: Conversion): boolean =>
  !c.strategy.ok || c.refusals.some((r) => r.severity === "refuse");

const nodeName = (host: Host): string => host.k3s.nodeName ?? host.name;

/** A plan that leaves the host alone installs nothing: nothing may be stopped for it either. */
function leftOut(host: Host, install: InstallPlan): readonly Refusal[] {
  const why = install.excluded.find((e) => e.host === host.name);
  if (!why) return [];
  return [
    {
      code: "left-out",
      severity: "refuse",
      message: `would not be installed: ${why.reason}`,
      fix:
        host.state === "active" || host.state === "planned"
          ? "an installation needs a disk by name (disk.device: /dev/disk/by-id/…) and a system that is built"
          : "state: active, if it is to be used",
    },
  ];
}

/** Nobody could be drained, asked for a quorum, or looked for afterwards. */
function withoutNode({ host, nodes, nodesProblem }: ConversionInput): Refusal {
  const about = { code: "node-unknown", severity: "refuse" as const };
  if (nodes.length === 0)
    return {
      ...about,
      message: `runs k3s, and the nodes of its cluster could not be read: ${nodesProblem ?? "none are listed"}`,
      fix: "start k3s there, or name a reachable server of its cluster in the inventory",
    };
  return {
    ...about,
    message: `runs k3s, but its cluster knows no node ${nodeName(host)}: it has ${nodes.map((n) => n.name).join(", ")}`,
    fix: "set k3s.nodeName to the name it has there",
  };
}

const keysNotIn = (host: Host, keys: readonly string[]): readonly string[] => {
  const known = Object.values(host.users).flatMap((u) => loginKeysIn(u.keys.join("\n")));
  return keys.filter((k) => !known.includes(k));
};

function aboutKeys(host: Host, keys: readonly string[]): NeedsHuman {
  return {
    topic: "ssh keys",
    what: `${keys.length} keys that may log in now are not in the inventory: ${keys.map(keyLabel).join(", ")}`,
    suggestion: `add them to users.NAME.keys (macula-fleet import ${host.name} shows them); accepted as it is, they cannot log in any more`,
  };
}

function clusterFacts(input: ConversionInput): ClusterFacts {
  const { host, survey, nodes } = input;
  const servers = nodes.filter((n) => n.server);
  const volumes = KEEP.filter((r) => r.bulk)
    .flatMap((r) => r.paths)
    .reduce((sum, path) => sum + (survey.sizes[path] ?? 0), 0);
  return {
    role: survey.role,
    datastore: survey.datastore,
    version: survey.version,
    targetMinor: host.k3s.packageMinor ?? input.targetMinor,
    serverVersions: servers.map((n) => n.version),
    servers: nodes.length === 0 ? 0 : Math.max(servers.length, survey.role === "server" ? 1 : 0),
    readyServers: servers.filter((n) => n.ready).length,
    workloadsInGit: input.workloadsInGit,
    tokenKnown: survey.token || input.inventory.clusters[host.k3s.cluster ?? ""]?.tokenRef !== undefined,
    volumes,
    volumesLimit: input.volumesLimit,
    carry: input.carry,
  };
}

/** Archive out, system in, archive back, and some ten minutes of starting things. */
function downtime(archiveKib: number, closureBytes: number, mbps: number): number {
  const bits = (archiveKib * 1024 * 2 + closureBytes) * 8;
  return Math.ceil(10 + bits / (mbps * 1e6) / 60);
}
