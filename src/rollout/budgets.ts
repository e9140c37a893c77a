/** May this staged host be activated now? One question per limit, and the answer says which limit. Pure. */

import type { PlannedHost } from "../plan/model.ts";
import { hostsOfWave, isAtRisk, isFailed, isUnavailable } from "./classes.ts";
import type { HostProgress, RolloutState } from "./state.ts";

/** Counted by other rollouts that run at the same time; budgets hold across all of them. */
export interface Elsewhere {
  readonly unavailable: number;
  readonly perSite: Readonly<Record<string, number>>;
  readonly perRole: Readonly<Record<string, number>>;
}

export const NOWHERE_ELSE: Elsewhere = { unavailable: 0, perSite: {}, perRole: {} };

export function blockedBy(
  state: RolloutState,
  index: ReadonlyMap<string, PlannedHost>,
  candidate: PlannedHost,
  starting: ReadonlySet<string>,
  elsewhere: Elsewhere,
): string | null {
  const { limits } = state.plan;
  const busy = [...state.hosts.values()].filter((h) => isAtRisk(h) || starting.has(h.name));
  const down = [...state.hosts.values()].filter((h) => isUnavailable(h) || starting.has(h.name));
  const like = (hosts: readonly HostProgress[], same: (p: PlannedHost) => boolean) =>
    hosts.filter((h) => {
      const p = index.get(h.name);
      return p !== undefined && same(p);
    }).length;
  const { role, site, cluster } = candidate;

  if (busy.length >= limits.maxParallel) return "max-parallel";
  const tolerance = toleranceLeft(state);
  if (busy.filter((h) => h.wave === state.wave).length > tolerance) return "failure tolerance";
  if (down.length + elsewhere.unavailable >= limits.maxUnavailable) return "max-unavailable";

  const inRole = like(down, (p) => p.role === role) + (elsewhere.perRole[role] ?? 0);
  if (inRole >= (limits.maxUnavailablePerRole[role] ?? Infinity)) return `max-unavailable of ${role}`;
  if (like(busy, (p) => p.role === role) >= (limits.maxParallelPerRole[role] ?? Infinity))
    return `max-parallel of ${role}`;
  if (site !== null) {
    if (like(busy, (p) => p.site === site) >= limits.activatingPerSite) return `one at a time in ${site}`;
    const inSite = like(down, (p) => p.site === site) + (elsewhere.perSite[site] ?? 0);
    if (inSite >= (limits.maxUnavailablePerSite ?? Infinity)) return `max-unavailable of ${site}`;
  }
  if (cluster !== null) {
    const allowed = limits.maxUnavailablePerCluster[cluster] ?? Infinity;
    if (like(down, (p) => p.cluster === cluster) >= allowed) return `max-unavailable of cluster ${cluster}`;
  }
  if (candidate.via !== null && busy.some((h) => h.name === candidate.via))
    return `${candidate.via} is in flight`;
  if (like(busy, (p) => p.via === candidate.name) > 0) return "hosts behind it are in flight";
  return null;
}

/** Failures the current wave can still take: what runs at the same time must not be able to overshoot it. */
export function toleranceLeft(state: RolloutState): number {
  const wave = state.plan.waves[state.wave - 1];
  if (!wave) return 0;
  return wave.maxFailures - hostsOfWave(state, wave.index).filter(isFailed).length;
}

export interface Verdict {
  readonly exceeded: boolean;
  readonly failed: number;
  readonly allowed: number;
  readonly where: string;
}

/** "Stop when failures > N": for the wave, and for each site. */
export function failureVerdict(state: RolloutState, index: ReadonlyMap<string, PlannedHost>): Verdict | null {
  const wave = state.plan.waves[state.wave - 1];
  if (!wave) return null;
  const failed = hostsOfWave(state, wave.index).filter(isFailed);
  if (failed.length > wave.maxFailures) {
    return {
      exceeded: true,
      failed: failed.length,
      allowed: wave.maxFailures,
      where: `wave ${wave.index} (${wave.label})`,
    };
  }
  const perSite = state.plan.limits.maxFailuresPerSite;
  if (perSite === null) return null;
  for (const [site, hosts] of Map.groupBy(
    [...state.hosts.values()].filter(isFailed),
    (h) => index.get(h.name)?.site ?? null,
  )) {
    if (site !== null && hosts.length > perSite)
      return { exceeded: true, failed: hosts.length, allowed: perSite, where: `site ${site}` };
  }
  return null;
}
