/** Committed hosts stay under watch while their wave soaks and while the rollout bakes. Pure. */
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import { partsOf } from "./groups.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { checkMs, soakCheckMs } from "./timing.ts";

/** More would only wait for a connection, and other hosts, whose turn it is, behind them. */
const CHECKS_AT_ONCE = 64;

export function soakChecks(
  state: RolloutState,
  { now, inFlight }: Context,
): Decision & { readonly wakeAt: number | null } {
  const { policy } = state.plan;
  const baking = state.status === "baking";
  const length = baking ? policy.finalBakeMs : (state.plan.waves[state.wave - 1]?.soakMs ?? 0);
  const every = soakCheckMs(policy, length);
  const effects: Effect[] = [];
  let room = CHECKS_AT_ONCE;
  for (const kind of inFlight.values()) if (kind === "check") room--;
  const cut = state.cutShortSeq;
  let wakeAt = Infinity;
  for (const part of partsOf(state, baking ? undefined : state.wave)) {
    if (room <= 0) break; // Whichever ends first asks again.
    const { updated, first, last, retryAt, wellSeq } = part.recall(restOf);
    const next = Math.min(first + every, retryAt);
    const settled = cut === null || wellSeq > cut;
    // A clock that was set back puts nothing off.
    if (settled && next > now && last <= now) {
      wakeAt = Math.min(wakeAt, next);
      continue;
    }
    for (const host of updated) {
      if (inFlight.has(host.name)) continue;
      const pace = cut === null || host.wellSeq > cut ? every : host.touchedSeq > cut ? checkMs(policy) : 0;
      const due = host.retryAt ?? (host.touchedAt > now ? now : host.touchedAt + Math.min(every, pace));
      if (due > now) wakeAt = Math.min(wakeAt, due);
      else if (room-- > 0) effects.push({ kind: "check", host: host.name, soaking: true });
    }
  }
  return { events: [], effects, wakeAt: wakeAt === Infinity ? null : wakeAt };
}

/** A person said to go on before the time was up, and every committed host was seen healthy since: that is enough. */
export const isCutShort = (state: RolloutState, wave?: number): boolean => {
  const cut = state.cutShortSeq;
  return cut !== null && partsOf(state, wave).every((part) => part.recall(restOf).wellSeq > cut);
};

/**
 * When the committed ones among some hosts were looked at, first and last; the first appointment one of them has; and
 * the place of the oldest word that one of them is well.
 */
interface Rest {
  readonly updated: readonly HostProgress[];
  readonly first: number;
  readonly last: number;
  readonly retryAt: number;
  readonly wellSeq: number;
}

function restOf(hosts: readonly HostProgress[]): Rest {
  const updated = hosts.filter((h) => h.state === "updated");
  const touched = updated.flatMap((h) => (h.retryAt === null ? [h.touchedAt] : []));
  return {
    updated,
    first: Math.min(...touched),
    last: Math.max(...touched),
    retryAt: Math.min(...updated.map((h) => h.retryAt ?? Infinity)),
    wellSeq: Math.min(...updated.map((h) => h.wellSeq)),
  };
}
