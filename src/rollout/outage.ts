/**
 * Many silent hosts at once are not many bad hosts: a site lost its uplink, or this controller is cut off. Pure.
 * A release that cuts its hosts off looks the same at first. Then they go back by themselves, answer, and count.
 */
import { hasAny, heardSince, hostsIn } from "./groups.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { lostAfterMs } from "./timing.ts";

export interface Outage {
  /** The site that is out of reach; null: everything is, so it is this controller. */
  readonly site: string | null;
  readonly hosts: readonly string[];
}

const lostAt = (h: HostProgress): number => h.troubleSince ?? h.since;

/** Silent hosts that answered earlier in this run, two or more, at once, and nobody beside them who still answers. */
export function outage(state: RolloutState): Outage | null {
  const lost = hostsIn(state, "missed");
  if (lost.length < 2) return null;
  const together = (group: readonly HostProgress[], site?: string): boolean => {
    if (group.length < 2) return false;
    const first = Math.min(...group.map(lostAt));
    const last = Math.max(...group.map(lostAt));
    return last - first <= lostAfterMs(state.plan.policy) && !heardSince(state, first, site);
  };
  const names = (group: readonly HostProgress[]) => group.map((h) => h.name);
  const bySite = Map.groupBy(lost, (h) => h.site);
  if (bySite.size > 1 && together(lost)) return { site: null, hosts: names(lost) };
  for (const [site, group] of bySite) {
    if (site !== null && together(group, site)) return { site, hosts: names(group) };
  }
  return null;
}

/** Is anybody of those it waits for still silent? */
export const stillOut = (state: RolloutState): boolean => hasAny(state, "missed");
