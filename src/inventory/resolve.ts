/** `InventoryDocument` -> `Inventory`: ranges expanded, layers merged, defaults applied. Pure. */
import type { Finding, Path } from "./findings.ts";
import { DEFAULT_USER, finishHost } from "./finish-host.ts";
import { type Layered, layerHosts } from "./layers.ts";
import { mergeVars } from "./merge.ts";
import type { Bastion, Cluster, Host, Inventory, Site, SourcePosition } from "./model.ts";
import { policyFrom } from "./policy.ts";
import type { HostVars } from "./schema/host-vars.ts";
import type { InventoryDocument } from "./schema.ts";
import { parseSiteWindow } from "./site-window.ts";
import { fillTemplates, resolveAddress } from "./templates.ts";

interface ResolveContext {
  readonly baseDir: string;
  readonly files: readonly string[];
  readonly resolvePath: (path: string) => string;
  readonly locate: (path: Path, point?: "key") => SourcePosition | undefined;
}

export interface Resolved {
  readonly inventory: Inventory;
  readonly findings: readonly Finding[];
  /** Layers by host name, for rules that must say where something was stated. */
  readonly layers: ReadonlyMap<string, Layered>;
}

export function resolve(document: InventoryDocument, context: ResolveContext): Resolved {
  const { hosts: layered, findings } = layerHosts(document);
  const layers = new Map(layered.map((host) => [host.name, host]));
  const merged = new Map<readonly unknown[], HostVars>();
  const brokenRanges = new Set<string>();
  const hosts = layered.map((host) => {
    let vars = merged.get(host.shared);
    if (vars === undefined) {
      vars = host.shared.reduce<HostVars>((sum, layer) => mergeVars(sum, layer.vars), {});
      merged.set(host.shared, vars);
    }
    for (const layer of host.own) vars = mergeVars(vars, layer.vars);
    vars = fillTemplates(vars, host);
    const address = resolveAddress(vars, host);
    if (typeof address !== "string") {
      // Once per range: a range of 120 is one mistake, not 64.
      const id = `${address.code} ${host.range?.key ?? host.name}`;
      if (!brokenRanges.has(id)) findings.push({ from: origin(host, ["address"]), ...address });
      brokenRanges.add(id);
    }
    const source = context.locate(host.path, "key") ?? { file: context.files[0] ?? "", line: 1, col: 1 };
    return finishHost(host, vars, typeof address === "string" ? address : "", {
      resolvePath: context.resolvePath,
      source,
    });
  });

  const { policy, findings: policyFindings } = policyFrom(document.rollout, document.roles);
  findings.push(...policyFindings);
  const { fleet, lab, cache } = document;
  return {
    inventory: {
      fleet: {
        ...fleet,
        flake: resolveFlake(fleet.flake, context.resolvePath),
        release: fleet.release ?? "26.05",
      },
      hosts: withBootstrapPeers(hosts),
      bastions: bastionsOf(document, context),
      sites: sitesOf(document),
      clusters: clustersOf(document),
      groups: groupsOf(document, hosts),
      ...(cache === undefined ? {} : { cache }),
      policy,
      checks: document.checks ?? [],
      ...(lab === undefined ? {} : { lab: { ...lab, dir: context.resolvePath(lab.dir) } }),
      files: context.files,
      baseDir: context.baseDir,
    },
    findings,
    layers,
  };
}

/** Where a field of a host was stated: the nearest layer that has it, else the host itself. */
export function origin(host: Layered, field: Path): Path {
  const has = (vars: unknown): boolean => {
    let value: unknown = vars;
    for (const part of field) {
      if (typeof value !== "object" || value === null) return false;
      value = Object.entries(value).find(([key]) => key === String(part))?.[1];
    }
    return value !== undefined;
  };
  const layer =
    [...host.own].reverse().find(({ vars }) => has(vars)) ??
    [...host.shared].reverse().find(({ vars }) => has(vars));
  return layer === undefined ? host.path : [...layer.path, ...field];
}

/** Peers nobody listed are the bootstrap hosts that can be reached from outside, except the host itself. */
function withBootstrapPeers(hosts: readonly Host[]): readonly Host[] {
  const peers = hosts
    .filter(({ roles, state }) => roles.includes("bootstrap") && state !== "retired" && state !== "planned")
    .flatMap(({ name, mesh: { publicAddress } }) =>
      publicAddress === undefined ? [] : [{ name, publicAddress }],
    );
  if (peers.length === 0) return hosts;
  return hosts.map((host) =>
    host.mesh.bootstrapPeers.length > 0
      ? host
      : {
          ...host,
          mesh: {
            ...host.mesh,
            bootstrapPeers: peers
              .filter(({ name }) => name !== host.name)
              .map(({ publicAddress }) => publicAddress),
          },
        },
  );
}

function resolveFlake(flake: string, resolvePath: (path: string) => string): string {
  const match = /^(path:)?(\.{1,2}(?:\/[^#?]*)?)([#?].*)?$/.exec(flake);
  return match === null ? flake : `${match[1] ?? ""}${resolvePath(match[2] ?? ".")}${match[3] ?? ""}`;
}

function bastionsOf(document: InventoryDocument, context: ResolveContext): Record<string, Bastion> {
  return mapValues(document.bastions ?? {}, (bastion, name) => {
    const { identityFile, ...rest } = bastion;
    return {
      ...rest,
      name,
      port: bastion.port ?? 22,
      user: bastion.user ?? document.defaults?.user ?? DEFAULT_USER,
      ...(identityFile === undefined ? {} : { identityFile: context.resolvePath(identityFile) }),
    };
  });
}

function sitesOf(document: InventoryDocument): Record<string, Site> {
  return mapValues(document.sites ?? {}, (site, name) => {
    const { vars: _, uplink, window, timezone = "UTC", ...rest } = site ?? {};
    return {
      ...rest,
      name,
      timezone,
      windows: parseSiteWindow(window, timezone),
      uplink: {
        ...uplink,
        metered: uplink?.metered ?? false,
      },
    };
  });
}

function clustersOf(document: InventoryDocument): Record<string, Cluster> {
  return mapValues(document.clusters ?? {}, (cluster, name) => ({
    ...cluster,
    name,
    datastore: cluster.datastore ?? "sqlite",
    flannelBackend: cluster.flannelBackend ?? "vxlan",
    external: cluster.external ?? false,
    perHost: cluster.perHost ?? false,
  }));
}

function groupsOf(document: InventoryDocument, hosts: readonly Host[]): Record<string, readonly string[]> {
  const members = new Map<string, string[]>(Object.keys(document.groups ?? {}).map((name) => [name, []]));
  for (const host of hosts) for (const group of host.groups) members.get(group)?.push(host.name);
  return Object.fromEntries(members);
}

function mapValues<In, Out>(
  map: Readonly<Record<string, In>>,
  convert: (value: In, name: string) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, convert(value, name)]));
}
