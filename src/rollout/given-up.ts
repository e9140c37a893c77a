/**
 * Hosts that were given up in flight. Silent, they are over or have no power: unavailable, but in no slot, or a dead one
 * would hold up its run for ever. With power again they go on where they were, and then their slot is theirs again. Pure.
 */
import type { ErrorCode } from "../errors.ts";
import { alreadyThere } from "./already-there.ts";
import { isAtRest } from "./at-rest.ts";
import { iso, moved } from "./bodies.ts";
import type { Context, Look } from "./context.ts";
import type { Sign } from "./effects.ts";
import type { EventBody, HostState } from "./events.ts";
import { hostsIn } from "./groups.ts";
import { STILL_AT_IT } from "./host-progress.ts";
import { interpretFailure } from "./interpret-failure.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { giveUpAfterMs, waitMs } from "./timing.ts";

const ENDS: ReadonlySet<HostState> = new Set(["updated", "reverted", "failed", "drifted"]);
const AT_IT = "answers, but is still at it";

/** It answers after all. Nothing is begun there any more, but how it ended is worth to know. */
export function resurfaced(look: Look): EventBody[] {
  const { state, host, target, seen, context } = look;
  const { fence, now } = context;
  if (host.fence === null) return neverBegun(look);
  const found = context.rules.reconcile({ state, host, to: target.to, fence, now }, seen);
  const to = found?.type === "host.state" ? found.data.to : null;
  if (found && to !== null && ENDS.has(to)) return [found];
  if (to === "staged" || to === "staging")
    return [
      moved(state, host, "reverted", "nothing had begun there", { failure: host.failure ?? undefined }),
    ];
  const code = isAtRest(seen) ? "connection-lost" : STILL_AT_IT;
  return atIt(look, code);
}

/** It was tried again in vain: what it is found with is left of an earlier attempt. */
function neverBegun(look: Look): EventBody[] {
  const { state, host, seen } = look;
  if (!isAtRest(seen)) return atIt(look, STILL_AT_IT);
  const there = alreadyThere(look);
  if (there) return [there];
  if (seen.current === host.previous)
    return [moved(state, host, "reverted", "is on its old system", { failure: host.failure ?? undefined })];
  const message = `runs ${seen.current}, which this rollout neither found nor put there`;
  return [
    moved(state, host, "drifted", message, { failure: { code: "plan-stale", message, transient: false } }),
  ];
}

const atIt = ({ state, host, context }: Look, code: ErrorCode): EventBody[] =>
  interpretFailure(state, host, "observe", { code, message: AT_IT, transient: true }, context);

/**
 * Who of them is in flight again, now that somebody else is about to begin. One that was seen so and fell silent may be
 * restarting on its way back: it counts for as long as that may take.
 */
export function inFlightAgain(state: RolloutState, signs: readonly Sign[], { now }: Context): HostProgress[] {
  const answers = new Map(signs.map((s) => [s.host, s]));
  const patience = giveUpAfterMs(state.plan.policy);
  return hostsIn(state, "doubtful").filter((h) => {
    const sign = answers.get(h.name);
    if (sign) return !sign.atRest;
    return h.inFlightAt !== null && Math.abs(now - h.inFlightAt) <= patience;
  });
}

/** What the guard heard from them, for the journal: not twice within the time after which they are asked again. */
export function heard(
  state: RolloutState,
  inFlight: readonly HostProgress[],
  signs: readonly Sign[],
  { now }: Context,
): EventBody[] {
  const again = waitMs(state.plan.policy);
  const failure = { code: STILL_AT_IT, message: AT_IT, transient: true };
  return inFlight
    .filter((h) => signs.some((s) => s.host === h.name))
    .filter((h) => h.inFlightAt === null || Math.abs(now - h.inFlightAt) >= again)
    .map((h) => moved(state, h, h.state, AT_IT, { failure, deadline: iso(now + again) }));
}
