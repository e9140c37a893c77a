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
  readonly nodes: readonly NodeRecord[];
  readonly server: string | null;
  readonly needsHuman: readonly NeedsHuman[];
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
  const nodeName = host.k3s.nodeName ?? host.name;
  const node = input.nodes.find((n) => n.name === nodeName);
  const strategy = chooseStrategy(clusterFacts(input));
  const found = judgeConversion(host, facts, survey);
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
    refusals: [...found, ...(install.refusals[host.name] ?? [])],
    needsHuman: input.needsHuman,
    kept,
    archiveKib,
    downtimeMinutes: downtime(archiveKib, install.hosts[0]?.closureBytes ?? 0, input.mbps),
    node: node ? { name: node.name, uid: node.uid } : null,
    server: input.server,
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
    servers: Math.max(servers.length, survey.role === "server" ? 1 : 0),
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
