/** (hosts, what they run, what they are to run, policy) -> plan. Pure: no clock, no I/O, same input same plan. */
import type { Host, HostName, Inventory } from "../inventory/model.ts";
import { seedsOf } from "../inventory/seeds.ts";
import { pickCanaries } from "./canary.ts";
import { buildGuards } from "./guards.ts";
import { resolveLimits } from "./limits.ts";
import type { Exclusion, Plan, PlannedHost, Resolution } from "./model.ts";
import type { MaintenanceWindow } from "./policy.ts";
import { describe, isZero, targetOf } from "./quantity.ts";
import { buildWaves } from "./waves.ts";
import { estimateMs, nextFit } from "./windows.ts";

/** What a probe (or the store) says about a host when the plan is made. */
export interface KnownHost {
  readonly reachable: boolean;
  readonly current: string | null;
  readonly profile?: string | null;
  /** Why it must not be touched now: a hold, a lock. */
  readonly held?: string;
  /** Why it would fail as things stand, such as a refused key; no outage. */
  readonly trouble?: string;
}

export interface PlanInput {
  readonly id: string;
  readonly kind: Plan["kind"];
  readonly inventory: Inventory;
  /** The hosts selected for this rollout. */
  readonly hosts: readonly Host[];
  readonly revision: string;
  readonly now: number;
  readonly known: ReadonlyMap<HostName, KnownHost>;
  readonly targets: ReadonlyMap<HostName, { readonly toplevel: string; readonly size: number }>;
  /** Hosts the canaries should come from; absent: any of the first role. */
  readonly canaryFrom?: (host: Host) => boolean;
  readonly prefer?: (host: Host) => boolean;
  readonly rank: (name: string) => string;
  readonly digest: (text: string) => string;
  readonly force: boolean;
  /** Skip waves (undo): everything in one, guards and limits stay. */
  readonly waveless?: boolean;
  readonly reverts?: string;
}

export function buildPlan(input: PlanInput): Plan {
  const { inventory } = input;
  const policy = inventory.policy;
  const excluded: Exclusion[] = [];
  const selected = input.hosts.filter((host) => {
    const exclusion = exclude(host, input);
    if (exclusion) excluded.push(exclusion);
    return exclusion === null;
  });

  const order = new Map(policy.order.map((role, i) => [role, i]));
  const sorted = [...selected].sort(
    (a, b) =>
      (order.get(a.role) ?? 0) - (order.get(b.role) ?? 0) ||
      a.rollout.order - b.rollout.order ||
      (input.rank(a.name) < input.rank(b.name) ? -1 : 1),
  );

  const firstRole = sorted[0]?.role;
  const eligible = sorted.filter(
    input.canaryFrom ?? ((h) => h.role === firstRole || h.rollout.canary === "always"),
  );
  const none = input.waveless === true || isZero(policy.canary.count);
  const count = none ? 0 : Math.min(targetOf(policy.canary.count, sorted.length), policy.canary.max);
  const canaries = pickCanaries(
    eligible.map((host) => ({ host, version: input.known.get(host.name)?.current ?? null })),
    { count, spread: policy.canary.spread, prefer: input.prefer ?? (() => false), rank: input.rank },
  );
  const isCanary = new Set(canaries.map((c) => c.host.name));
  const rest = sorted.filter((h) => !isCanary.has(h.name));
  const waves = buildWaves(
    canaries.map((c) => c.host),
    rest,
    input.waveless ? { ...policy, waves: [{ kind: "percent", pct: 100 }] } : policy,
  );

  const waveOf = new Map(waves.flatMap((w) => w.hosts.map((name) => [name, w] as const)));
  const why = new Map(canaries.map((c) => [c.host.name, c.why]));
  const seedOf = seedsOf(inventory);
  const hosts = sorted.map((host): PlannedHost => {
    const seed = seedOf(host);
    const target = input.targets.get(host.name);
    return {
      name: host.name,
      role: host.role,
      roles: host.roles,
      site: host.site,
      arch: host.arch,
      cluster: host.k3s.cluster ?? null,
      via: gatewayOf(host, inventory),
      from: input.known.get(host.name)?.current ?? null,
      to: target?.toplevel ?? "",
      closureBytes: target?.size ?? 0,
      windows: windowsOf(host, inventory),
      ...(seed ? { seed: seed.name } : {}),
      why: why.get(host.name) ?? `wave ${waveOf.get(host.name)?.label ?? ""}: ${host.role}s in order`,
    };
  });

  const { limits, resolutions } = resolveLimits(policy, sorted.length, hosts, inventory.sites);
  const canaryNote: Resolution = {
    name: "canary",
    asked: describe(policy.canary.count),
    base: sorted.length,
    value: canaries.length,
  };
  const guards = buildGuards(inventory, policy);
  const body = {
    schema: 1 as const,
    id: input.id,
    kind: input.kind,
    fleet: inventory.fleet.name,
    revision: input.revision,
    createdAt: input.now,
    hosts,
    waves,
    excluded,
    limits,
    guards,
    policy,
    resolutions: input.waveless ? resolutions : [canaryNote, ...resolutions],
    warnings: warningsOf(hosts, input),
    ...(input.reverts === undefined ? {} : { reverts: input.reverts }),
    force: input.force,
  };
  return { ...body, hash: input.digest(fingerprint(body)) };
}

/** What decides what is done; the id and the time of planning do not. */
export function fingerprint(plan: Omit<Plan, "hash"> & Partial<Pick<Plan, "hash">>): string {
  const { id: _id, createdAt: _at, hash: _hash, ...rest } = plan;
  return JSON.stringify(rest);
}

function exclude(host: Host, input: PlanInput): Exclusion | null {
  const known = input.known.get(host.name);
  const skip = (reason: string): Exclusion => ({ host: host.name, state: "skipped", reason });
  const defer = (reason: string): Exclusion => ({ host: host.name, state: "deferred", reason });
  if (host.state !== "active") return skip(`state is ${host.state}`);
  if (host.os !== "nixos")
    return skip(`runs ${host.os}: audited only, see "macula-fleet convert ${host.name}"`);
  if (host.connect === "pull") return skip("pulls its own updates");
  if (known?.held !== undefined) return defer(known.held);
  const to = input.targets.get(host.name)?.toplevel;
  if (to === undefined) return skip("nothing was built for it");
  if (known && !known.reachable) {
    const { policy } = input.inventory.policy.offline;
    if (policy === "defer") return defer("offline when planned");
    if (policy === "skip") return skip("offline when planned");
  }
  if (known?.current === to && (known.profile ?? to) === to) return skip("already runs it");
  const need = estimateMs(input.inventory.policy);
  if (nextFit(windowsOf(host, input.inventory), input.now, need) === null)
    return defer(`no maintenance window of its is as long as a change may take: ${need / 60_000} min`);
  return null;
}

/** The inventory host through which this one is reached, if its bastion is one of the fleet. */
function gatewayOf(host: Host, inventory: Inventory): HostName | null {
  const bastion = host.bastion === null ? undefined : inventory.bastions[host.bastion];
  if (!bastion) return null;
  // Several hosts may share an address, each behind a port of its own.
  const gateway =
    inventory.hosts.find((h) => h.name === bastion.name) ??
    inventory.hosts.find((h) => h.address === bastion.address && h.port === bastion.port);
  return gateway && gateway.name !== host.name ? gateway.name : null;
}

function windowsOf(host: Host, inventory: Inventory): MaintenanceWindow[] {
  const site = host.site === null ? undefined : inventory.sites[host.site];
  const own = site?.windows ?? [];
  const windows = own.length > 0 ? own : inventory.policy.windows;
  return windows.map((w) => ({ ...w, tz: w.tz === "site" ? (site?.timezone ?? "UTC") : w.tz }));
}

function warningsOf(hosts: readonly PlannedHost[], input: PlanInput): string[] {
  const all = input.inventory.hosts.filter((h) => h.state === "active");
  const alone = hosts.filter((h) => {
    if (h.role === "peer") return false;
    const scope = all.filter((o) => o.role === h.role && (h.role === "bootstrap" || o.site === h.site));
    return scope.length === 1;
  });
  const troubled = hosts.flatMap((h) => {
    const trouble = input.known.get(h.name)?.trouble;
    return trouble === undefined ? [] : [`${h.name} will fail as things stand: ${trouble}`];
  });
  const spof = alone.map((h) =>
    h.role === "bootstrap"
      ? `${h.name} is the only bootstrap host: nobody can join the mesh while it restarts its services`
      : `${h.name} is the only gateway of ${h.site ?? "its site"}: its site is offline while it restarts its network`,
  );
  const unasked = input.inventory.policy.ignoreConsent
    ? ["hosts are changed whatever their owners' programs say"]
    : [];
  return [...troubled, ...unasked, ...spof];
}
