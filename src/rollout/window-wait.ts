/** When may the staged hosts of the current wave go on? Pure. */
import { fits, windowState } from "../plan/windows.ts";
import type { RolloutState } from "./state.ts";
import { estimateMs } from "./timing.ts";

/** Openings looked at: a window too short for the work is passed over for the next one. */
const OPENINGS = 16;

/** The first moment, `now` or later, at which one of them fits into a window; null: none ever does. */
export function windowsOpenAt(state: RolloutState, now: number): number | null {
  const wave = state.plan.waves[state.wave - 1];
  const need = estimateMs(state.plan.policy);
  let first: number | null = null;
  const looked = new Set<string>();
  for (const name of wave?.hosts ?? []) {
    if (state.hosts.get(name)?.state !== "staged") continue;
    const windows = state.targets.get(name)?.windows ?? [];
    const key = JSON.stringify(windows);
    if (looked.has(key)) continue; // Hosts of one site share theirs.
    looked.add(key);
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
