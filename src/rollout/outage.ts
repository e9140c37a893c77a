/**
 * Many silent hosts at once are not many bad hosts: a site lost its uplink, or this controller is cut off. Pure.
 * A release that cuts its hosts off looks the same at first. Then they go back by themselves, answer, and count.
 */
import { isAtRisk, isPreparing } from "./classes.ts";
import { type HostProgress, isSilent, type RolloutState } from "./state.ts";
import { lostAfterMs } from "./timing.ts";

export interface Outage {
  /** The site that is out of reach; null: everything is, so it is this controller. */
  readonly site: string | null;
  readonly hosts: readonly string[];
}

/** Silent hosts that answered before and that this run waits for: a committed one is silent only if a soak found it so. */
const silentHosts = (state: RolloutState): HostProgress[] => {
  const silent: HostProgress[] = [];
  for (const h of state.hosts.values()) {
    if (isSilent(h) && h.contactAt !== null && (isAtRisk(h) || isPreparing(h) || h.state === "updated"))
      silent.push(h);
  }
  return silent;
};

const lostAt = (h: HostProgress): number => h.troubleSince ?? h.since;

/** Silent hosts that answered earlier in this run, two or more, at once, and nobody beside them who still answers. */
export function outage(state: RolloutState): Outage | null {
  const lost = silentHosts(state);
  if (lost.length < 2) return null;
  const siteOf = (h: HostProgress) => state.targets.get(h.name)?.site ?? null;
  const together = (group: readonly HostProgress[], all: readonly HostProgress[]): boolean => {
    if (group.length < 2) return false;
    const first = Math.min(...group.map(lostAt));
    const last = Math.max(...group.map(lostAt));
    return (
      last - first <= lostAfterMs(state.plan.policy) &&
      !all.some((h) => h.contactAt !== null && h.contactAt > first)
    );
  };
  const everybody = [...state.hosts.values()];
  const names = (group: readonly HostProgress[]) => group.map((h) => h.name);
  if (new Set(lost.map(siteOf)).size > 1 && together(lost, everybody))
    return { site: null, hosts: names(lost) };
  for (const [site, group] of Map.groupBy(lost, siteOf)) {
    if (site === null) continue;
    if (
      together(
        group,
        everybody.filter((h) => siteOf(h) === site),
      )
    )
      return { site, hosts: names(group) };
  }
  return null;
}

/** Is anybody of those it waits for still silent? */
export const stillOut = (state: RolloutState): boolean => silentHosts(state).length > 0;
