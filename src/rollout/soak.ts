/** Committed hosts stay under watch while their wave soaks and while the rollout bakes. Pure. */
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import { partsOf } from "./groups.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { soakCheckMs } from "./timing.ts";

/** More would only wait for a connection, and other hosts, whose turn it is, behind them. */
const CHECKS_AT_ONCE = 64;

export function soakChecks(
  state: RolloutState,
  { now, inFlight }: Context,
): Decision & { readonly wakeAt: number | null } {
  const baking = state.status === "baking";
  const length = baking ? state.plan.policy.finalBakeMs : (state.plan.waves[state.wave - 1]?.soakMs ?? 0);
  const every = soakCheckMs(state.plan.policy, length);
  const effects: Effect[] = [];
  let room = CHECKS_AT_ONCE;
  for (const kind of inFlight.values()) if (kind === "check") room--;
  let wakeAt = Infinity;
  for (const part of partsOf(state, baking ? undefined : state.wave)) {
    if (room <= 0) break; // Whichever ends first asks again.
    const { updated, first, last, retryAt } = part.recall(restOf);
    const next = Math.min(first + every, retryAt);
    // A clock that was set back puts nothing off.
    if (next > now && last <= now) {
      wakeAt = Math.min(wakeAt, next);
      continue;
    }
    for (const host of updated) {
      if (inFlight.has(host.name)) continue;
      const due = host.retryAt ?? (host.touchedAt > now ? now : host.touchedAt + every);
      if (due > now) wakeAt = Math.min(wakeAt, due);
      else if (room-- > 0) effects.push({ kind: "check", host: host.name, soaking: true });
    }
  }
  return { events: [], effects, wakeAt: wakeAt === Infinity ? null : wakeAt };
}

/** When the committed ones among some hosts were looked at, first and last; and the first appointment one of them has. */
interface Rest {
  readonly updated: readonly HostProgress[];
  readonly first: number;
  readonly last: number;
  readonly retryAt: number;
}

function restOf(hosts: readonly HostProgress[]): Rest {
  const updated = hosts.filter((h) => h.state === "updated");
  const touched = updated.flatMap((h) => (h.retryAt === null ? [h.touchedAt] : []));
  return {
    updated,
    first: Math.min(...touched),
    last: Math.max(...touched),
    retryAt: Math.min(...updated.map((h) => h.retryAt ?? Infinity)),
  };
}
