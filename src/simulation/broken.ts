/** Rules broken on purpose, one at a time: each of them must be found. Used by simulations only. [pure] */

import { windowState } from "../plan/windows.ts";
import { moved } from "../rollout/bodies.ts";
import { blockedBy } from "../rollout/budgets.ts";
import { isFailed } from "../rollout/classes.ts";
import { reconcile } from "../rollout/reconcile.ts";
import { RULES, type Rules } from "../rollout/rules.ts";

const limitsBut =
  (...ignored: readonly string[]): Rules["blockedBy"] =>
  (usage, candidate) => {
    const block = blockedBy(usage, candidate);
    return block !== null && ignored.some((name) => block.limit.startsWith(name)) ? null : block;
  };

export const BROKEN: Readonly<Record<string, Rules>> = {
  "no-max-unavailable": { ...RULES, blockedBy: limitsBut("max-unavailable", "max-parallel") },
  "no-budgets": { ...RULES, blockedBy: () => null },
  "no-gateway-order": { ...RULES, blockedBy: limitsBut("gw-", "hosts behind it") },
  "no-quorum": { ...RULES, missing: () => undefined },
  "commit-unproven": { ...RULES, proven: () => true },
  "one-check-is-enough": { ...RULES, proven: (host) => host.health.healthySince !== null },
  /** Takes "it runs the new system" for "it is committed". */
  "activated-is-updated": {
    ...RULES,
    reconcile: (place, seen) =>
      seen.state?.phase === "activated" &&
      seen.current === place.to &&
      seen.state.rollout === place.state.plan.id
        ? moved(place.state, place.host, "updated", "runs the new system")
        : reconcile(place, seen),
  },
  /** Does not believe what the host says about its own revert. */
  "reverted-is-updated": {
    ...RULES,
    reconcile: (place, seen) =>
      seen.state?.phase === "reverted" && seen.state.rollout === place.state.plan.id
        ? moved(place.state, place.host, "updated", "has activated")
        : reconcile(place, seen),
  },
  "no-windows": { ...RULES, fits: () => true },
  /** Begins whenever the window is open, however soon that ends. */
  "no-estimate": { ...RULES, fits: (windows, now) => windowState(windows, now).open },
  "deaf-to-refusals": { ...RULES, refusal: () => null },
  /** Changes hosts whatever their owners say. */
  "deaf-to-owners": { ...RULES, ignoresConsent: () => true },
  "open-gates": { ...RULES, gateOpen: () => true },
  /** Takes a promotion for a proof that every host is well. */
  "promotes-unseen": { ...RULES, cutShort: (state) => state.cutShortSeq !== null },
  /** Asks owners again at once, whatever time they gave. */
  "pesters-owners": { ...RULES, waits: () => false },
  /** Two runs may have the same hosts. */
  "no-overlap-guard": { ...RULES, taken: () => [] },
  "takes-over-the-driven": { ...RULES, mayTakeOver: (asked) => asked },
  /** Whom a superseded, or any other, run left in flight is nobody's business. */
  "nobody-left-behind": { ...RULES, leftBehind: () => false },
  /** Tries everybody again, whoever was named. */
  "retries-everybody": { ...RULES, retried: (_, host) => isFailed(host) || host.state === "deferred" },
  /** Takes those that went back by themselves along. */
  "undoes-too-much": { ...RULES, undone: (host) => host.previous !== null },
};
