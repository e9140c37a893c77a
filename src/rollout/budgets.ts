/** May this staged host be activated now? One question per limit, and the answer says which limit. Pure. */

import type { PlannedHost } from "../plan/model.ts";
import { isAtRisk } from "./classes.ts";
import { countIn, hostsIn } from "./groups.ts";
import { attemptKey, type HostProgress, type RolloutState } from "./state.ts";

/** Where a host stands in the fleet: what limits are counted by. */
export type Place = Pick<PlannedHost, "name" | "role" | "site" | "cluster" | "via">;

/** Hosts that other runs have, or left, unavailable: budgets hold across all of them. By name. */
export type Elsewhere = ReadonlyMap<string, Place>;

export const NOWHERE_ELSE: Elsewhere = new Map();

/** What another run has unavailable now. */
export function unavailableIn(state: RolloutState): Place[] {
  return hostsIn(state, "unavailable").flatMap((h) => state.targets.get(h.name) ?? []);
}

/** Is it unavailable for another run's sake? Not any more once this run has met it at rest: then its own word counts. */
export const isElsewhere = (state: RolloutState, elsewhere: Elsewhere, name: string): boolean =>
  elsewhere.has(name) && (state.hosts.get(name)?.previous ?? null) === null;

/** Who takes up room right now. Counted once per decision, then kept up as slots are given away (`occupy`). */
export interface Usage {
  readonly state: RolloutState;
  /** How many of the current wave may be in flight at once (`slowStart`). */
  readonly opened: number;
  /** In flight of the current wave: each of them may still fail. */
  inWave: number;
  readonly busy: Count;
  readonly down: Count;
  /** Of other runs. */
  readonly elsewhere: Count;
}

interface Count {
  all: number;
  readonly names: Set<string>;
  readonly role: Map<string, number>;
  readonly site: Map<string, number>;
  readonly cluster: Map<string, number>;
  readonly via: Map<string, number>;
}

export function measure(state: RolloutState, starting: ReadonlySet<string>, elsewhere: Elsewhere): Usage {
  const empty = (): Count => ({
    all: 0,
    names: new Set(),
    role: new Map(),
    site: new Map(),
    cluster: new Map(),
    via: new Map(),
  });
  const usage: Usage = {
    state,
    opened: slowStart(state),
    inWave: 0,
    busy: empty(),
    down: empty(),
    elsewhere: empty(),
  };
  for (const place of elsewhere.values()) {
    if (!isElsewhere(state, elsewhere, place.name)) continue;
    count(usage.elsewhere, place);
    count(usage.down, place);
  }
  for (const host of hostsIn(state, "unavailable")) {
    const target = state.targets.get(host.name);
    if (!target || starting.has(host.name)) continue;
    if (isAtRisk(host)) occupy(usage, host, target);
    else if (!usage.down.names.has(host.name)) count(usage.down, target);
  }
  for (const name of starting) {
    const [host, target] = [state.hosts.get(name), state.targets.get(name)];
    if (host && target) occupy(usage, host, target);
  }
  return usage;
}

/** From now on this host counts, too. */
export function occupy(usage: Usage, host: HostProgress, target: PlannedHost): void {
  count(usage.busy, target);
  count(usage.down, target);
  if (host.wave === usage.state.wave) usage.inWave++;
}

/** It was given up and is in flight again: unavailable it was all the time, now it takes its slot, too. */
export function takeSlotAgain(usage: Usage, host: HostProgress): void {
  const target = usage.state.targets.get(host.name);
  if (target) count(usage.busy, target);
}

function count(c: Count, target: Place): void {
  const plus = (map: Map<string, number>, key: string | null) =>
    key === null || map.set(key, (map.get(key) ?? 0) + 1);
  c.all++;
  c.names.add(target.name);
  plus(c.role, target.role);
  plus(c.site, target.site);
  plus(c.cluster, target.cluster);
  plus(c.via, target.via);
}

/** A limit without room, and whom else it keeps out until something ends. */
export interface Block {
  readonly limit: string;
  readonly keepsOut: "everybody" | "its role" | "its site" | "it";
}

/** The first limit that has no room for `candidate`; null: it may be touched. */
export function blockedBy(usage: Usage, candidate: PlannedHost): Block | null {
  const { limits } = usage.state.plan;
  const { busy, down, elsewhere } = usage;
  const { role, site, cluster, via, name } = candidate;
  const of = (map: ReadonlyMap<string, number>, key: string) => map.get(key) ?? 0;
  const full = (limit: string, keepsOut: Block["keepsOut"] = "it"): Block => ({ limit, keepsOut });

  if (busy.all >= limits.maxParallel) return full("max-parallel", "everybody");
  if (usage.state.status === "running" && usage.inWave >= usage.opened)
    return full("slow start", "everybody");
  if (down.all >= limits.maxUnavailable) return full("max-unavailable", "everybody");
  if (of(down.role, role) >= (limits.maxUnavailablePerRole[role] ?? Infinity))
    return full(`max-unavailable of ${role}`, "its role");
  if (of(busy.role, role) >= (limits.maxParallelPerRole[role] ?? Infinity))
    return full(`max-parallel of ${role}`, "its role");
  if (site !== null) {
    if (of(busy.site, site) >= limits.activatingPerSite) return full(`activations in ${site}`, "its site");
    if (of(down.site, site) >= (limits.maxUnavailablePerSite[site] ?? Infinity))
      return full(`max-unavailable of ${site}`, "its site");
  }
  if (cluster !== null && of(down.cluster, cluster) >= (limits.maxUnavailablePerCluster[cluster] ?? Infinity))
    return full(`max-unavailable of cluster ${cluster}`);
  if (via !== null && (busy.names.has(via) || elsewhere.names.has(via))) return full(`${via} is in flight`);
  if (of(busy.via, name) > 0 || of(elsewhere.via, name) > 0) return full("hosts behind it are in flight");
  return null;
}

/** Failures that count: those an operator promoted past do not. */
const failures = (state: RolloutState, wave?: number): HostProgress[] =>
  hostsIn(state, "failed", wave).filter((h) => !state.accepted.has(attemptKey(h)));

/**
 * Slow start: one more than may still fail, and another slot for every host this release has proved itself on
 * (1, 2, 4 … up to max-parallel). A release that is bad everywhere costs one host, a good one soon runs at full width.
 */
export function slowStart(state: RolloutState): number {
  if (state.plan.policy.onFailure === "continue") return Infinity;
  const wave = state.plan.waves[state.wave - 1];
  if (!wave) return 0;
  const failed = failures(state, wave.index).length;
  return Math.max(0, wave.maxFailures - failed + 1) + countIn(state, "updated");
}

export interface FailureVerdict {
  readonly failed: number;
  readonly allowed: number;
  readonly where: string;
}

/** "Stop when failures > N": for each wave so far, and for each site. */
export function failureVerdict(state: RolloutState): FailureVerdict | null {
  const failed = failures(state);
  if (failed.length === 0) return null;
  for (const wave of state.plan.waves.slice(0, state.wave)) {
    const n = failed.filter((h) => h.wave === wave.index).length;
    if (n > wave.maxFailures)
      return { failed: n, allowed: wave.maxFailures, where: `wave ${wave.index} (${wave.label})` };
  }
  const perSite = state.plan.limits.maxFailuresPerSite;
  if (perSite === null) return null;
  for (const [site, hosts] of Map.groupBy(failed, (h) => h.site)) {
    if (site !== null && hosts.length > perSite)
      return { failed: hosts.length, allowed: perSite, where: `site ${site}` };
  }
  return null;
}
