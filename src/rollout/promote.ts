/**
 * "Go on now": past the gate, and past what is left of the soak or bake the run is in. What was watched is not taken
 * on trust for that: every host must be seen healthy once more (`isCutShort`), and a failure stops the run as ever. Pure.
 */
import type { PendingCommand } from "../store/store.ts";
import { iso } from "./bodies.ts";
import { countIn } from "./groups.ts";
import type { RolloutState } from "./state.ts";

type Promotion =
  /** `cutShort`: when the soak or bake was to end. */
  | { readonly kind: "applied"; readonly note: string; readonly cutShort?: string }
  | { readonly kind: "noop"; readonly note: string }
  | { readonly kind: "refused"; readonly why: string };

/** Of a run that has begun and neither ended nor goes back. */
export function promote(state: RolloutState, word: Pick<PendingCommand, "full" | "toWave">): Promotion {
  const { status, wave, plan } = state;
  const count = plan.waves.length;
  const paused = status === "paused";
  const full = word.full === true;
  const { toWave } = word;
  if (!full && toWave !== undefined) {
    if (toWave > count) return { kind: "refused", why: `the rollout is ${status} and has ${count} waves` };
    if (toWave <= wave)
      return paused
        ? { kind: "refused", why: `wave ${toWave} has begun already; resume goes on with it` }
        : { kind: "noop", note: `wave ${toWave} has begun already` };
  }
  const watch = watched(state);
  const plain = !full && toWave === undefined;
  if (plain && watch === null && state.wavePhase !== "gate" && !paused) {
    const why = `the rollout is ${status} and no gate is waiting; --full passes the remaining ones`;
    return { kind: "refused", why };
  }
  const cuts = watch !== null && (paused || state.cutShortSeq === null);
  const further = full ? count : plain ? 0 : (toWave ?? 0) - 1;
  if (!paused && !cuts && state.wavePhase !== "gate" && state.soaksCutTo >= further)
    return { kind: "noop", note: "already promoted" };
  const past = full ? "promoted past every gate and soak" : plain ? "promoted" : `promoted to wave ${toWave}`;
  if (!cuts) return { kind: "applied", note: past };
  const note = `${past}: ${watch.name} ends once ${watch.hosts} seen healthy again, not at ${watch.until}`;
  return { kind: "applied", note, cutShort: watch.until };
}

/** The soak or bake that the run is in, also while it is paused. */
function watched(state: RolloutState): { name: string; hosts: string; until: string } | null {
  const { wave, plan, soakUntil, status } = state;
  if (soakUntil === null) return null;
  // Between waves no time is set: it was paused while it baked.
  const baking = status === "baking" || state.wavePhase === "done";
  if (!baking && state.wavePhase !== "soaking") return null;
  const n = countIn(state, "updated", baking ? undefined : wave);
  const hosts = n === 1 ? "its host was" : `each of ${n} hosts was`;
  const name = baking ? "the bake" : `the soak of wave ${wave} (${plan.waves[wave - 1]?.label ?? ""})`;
  return { name, hosts, until: iso(soakUntil) };
}
