/** When each host may start at the earliest, wave after wave, by its windows. Pure. What takes longer comes later. */
import type { Plan } from "./model.ts";
import type { MaintenanceWindow } from "./policy.ts";
import { estimateMs, nextFit, windowState } from "./windows.ts";

export interface Opening {
  /** ms since the epoch. */
  readonly from: number;
  /** The last moment to begin in that window; null: no window limits it. */
  readonly until: number | null;
}

/** A host is in it as long as one of its windows is ever long enough. */
export function schedule(plan: Plan): ReadonlyMap<string, Opening> {
  const need = estimateMs(plan.policy);
  const hosts = new Map(plan.hosts.map((h) => [h.name, h]));
  const openings = new Map<string, Opening>();
  let begins = plan.createdAt;
  for (const wave of plan.waves) {
    const sites = new Map<string | null, Opening | null>();
    for (const name of wave.hosts) {
      const { site = null, windows = [] } = hosts.get(name) ?? {};
      // The hosts of a site share their windows.
      const opening = sites.get(site) ?? openingAt(windows, begins, need);
      sites.set(site, opening);
      if (opening) openings.set(name, opening);
    }
    const last = [...sites.values()].reduce((at, o) => Math.max(at, o?.from ?? at), begins);
    begins = last + need + wave.soakMs;
  }
  return openings;
}

function openingAt(windows: readonly MaintenanceWindow[], now: number, need: number): Opening | null {
  const from = nextFit(windows, now, need);
  if (from === null) return null;
  const closes = windowState(windows, from).changesAt;
  return { from, until: closes === null ? null : closes - need };
}
