/** When may the staged hosts of the current wave go on? Pure. */
import { fits, windowState } from "../plan/windows.ts";
import { Closed, outside } from "./groups.ts";
import type { RolloutState } from "./state.ts";
import { estimateMs } from "./timing.ts";

/** Openings looked at: a window too short for the work is passed over for the next one. */
const OPENINGS = 16;

/** The first moment, `now` or later, at which one of them fits into a window; null: none ever does. */
export function windowsOpenAt(state: RolloutState, now: number): number | null {
  const need = estimateMs(state.plan.policy);
  let first: number | null = null;
  const looked = new Closed();
  for (const host of outside(looked, state, "staged", state.wave)) {
    const windows = state.targets.get(host.name)?.windows ?? [];
    looked.sites.add(host.site); // The hosts of a site share theirs.
    let at: number | null = now;
    for (let i = 0; at !== null && i < OPENINGS && !fits(windows, at, need); i++) {
      const { open, changesAt } = windowState(windows, at);
      at = open && changesAt !== null ? windowState(windows, changesAt + 1).changesAt : changesAt;
      if (open && changesAt !== null && fits(windows, changesAt + 1, need)) at = changesAt + 1;
    }
    if (at === null || !fits(windows, at, need)) continue;
    if (first === null || at < first) first = at;
    if (first <= now) return first;
  }
  return first;
}
