/** `--on-failure rollback`: every updated host goes back, under the same limits and guards. Pure. */
import { moved, runMoved } from "./bodies.ts";
import { measure, occupy } from "./budgets.ts";
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import type { EventBody } from "./events.ts";
import { Closed, hasAny, outside } from "./groups.ts";
import { guarding, keepsOut } from "./slots.ts";
import type { HostProgress, RolloutState } from "./state.ts";

type Step = Decision & { readonly wakeAt?: number | null };

/** Under way only because the rollout goes back: it serves until it begins, so the guards have a word in when. */
export const isRolledBack = (host: HostProgress): boolean =>
  host.state === "reverting" && host.committed && host.failure?.code === "rolled-back";

export const sendBack = (host: HostProgress): Effect => ({
  kind: "revert",
  host: host.name,
  reason: "operator",
});

export const goesBack = (state: RolloutState, host: HostProgress): EventBody =>
  moved(state, host, "reverting", "goes back to its old system", {
    failure: { code: "rolled-back", message: "rolled back with the rollout", transient: false },
  });

export function rollBack(state: RolloutState, context: Context, busy: boolean): Step {
  const { now, inFlight, rules } = context;
  const left = hasAny(state, "revertible");
  // A guard that never agrees must not hold the run for ever.
  const giveUpAt =
    state.statusAt + state.plan.policy.progressDeadlineMs * Math.max(1, state.plan.waves.length);
  if ((!left || now > giveUpAt) && !busy) {
    const stuck = left || hasAny(state, "broken");
    return {
      events: [
        stuck
          ? runMoved(state, "rollback_failed", "not every host could go back")
          : runMoved(state, "rolled_back", "every updated host is back on its old system"),
      ],
      effects: [],
    };
  }
  if (context.draining) return { events: [], effects: [] };
  const usage = measure(state, guarding(context), context.elsewhere);
  const effects: Effect[] = [];
  let wakeAt: number | null = left ? giveUpAt + 1 : null;
  const closed = new Closed();
  for (const host of now > giveUpAt ? [] : outside(closed, state, "revertible")) {
    const target = state.targets.get(host.name);
    if (!target || inFlight.has(host.name)) continue;
    if (host.retryAt !== null && now < host.retryAt) {
      wakeAt = Math.min(wakeAt ?? Infinity, host.retryAt);
      continue;
    }
    const block = rules.blockedBy(usage, target);
    if (block !== null && keepsOut(block, host, closed)) break;
    if (block !== null) continue;
    occupy(usage, host, target);
    effects.push({ kind: "guard", host: host.name });
  }
  return { events: [], effects, wakeAt };
}
