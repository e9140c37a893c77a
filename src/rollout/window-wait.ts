/** When may the staged hosts of the current wave go on? Pure. */
import { estimateMs, nextFit } from "../plan/windows.ts";
import { Closed, outside } from "./groups.ts";
import type { RolloutState } from "./state.ts";

/** The first moment, `now` or later, at which one of them fits into a window; null: none ever does. */
export function windowsOpenAt(state: RolloutState, now: number): number | null {
  const need = estimateMs(state.plan.policy);
  let first: number | null = null;
  const looked = new Closed();
  for (const host of outside(looked, state, "staged", state.wave)) {
    const windows = state.targets.get(host.name)?.windows ?? [];
    looked.sites.add(host.site); // The hosts of a site share theirs.
    const at = nextFit(windows, now, need);
    if (at === null) continue;
    if (first === null || at < first) first = at;
    if (first <= now) return first;
  }
  return first;
}
