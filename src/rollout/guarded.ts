/** Guards answered: may the host be touched now? Pure. */
import type { PlannedHost } from "../plan/model.ts";
import { estimateMs } from "../plan/windows.ts";
import { iso, moved, runMoved } from "./bodies.ts";
import { isElsewhere, measure, takeSlotAgain } from "./budgets.ts";
import { isAtRisk } from "./classes.ts";
import type { Context } from "./context.ts";
import { type Decision, NOTHING, type Outcome } from "./effects.ts";
import type { EventBody } from "./events.ts";
import { heard, inFlightAgain } from "./given-up.ts";
import { goesBack, sendBack } from "./roll-back.ts";
import { guarding } from "./slots.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { backoffMs, waitMs } from "./timing.ts";

type Answers = Extract<Outcome, { ok: true; effect: { kind: "guard" } }>;

const say = (...events: EventBody[]): Decision => ({ events, effects: [] });

/** Guards answered: the slot is taken only if nothing changed meanwhile. */
export function guarded(
  state: RolloutState,
  host: HostProgress,
  target: PlannedHost,
  { readings, givenUp }: Answers,
  context: Context,
): Decision {
  const forward = state.status === "running" && host.state === "staged" && !context.draining;
  const back = state.status === "rolling_back" && host.state === "updated";
  if (!forward && !back) return NOTHING;
  // Guards take their time to answer: is there still enough of the window left?
  const late = !context.rules.fits(target.windows, context.now, estimateMs(state.plan.policy));
  if (forward && late) return NOTHING;
  const broken = context.rules.missing(readings);
  if (broken) {
    const where = broken.site === null ? "in the fleet" : `in ${broken.site}`;
    const msg = `${host.name} may not be touched: ${broken.required} other ${broken.role} host(s) ${where} must be healthy, ${broken.healthy.length} are (not: ${broken.unhealthy.join(", ")})`;
    if (forward) return say(runMoved(state, "paused", msg, { reason: "quorum", detail: msg }));
    return say(waits(state, host, msg, context));
  }
  const again = inFlightAgain(state, givenUp, context);
  const seen = heard(state, again, givenUp, context);
  // Healthy now, but in flight: it may be gone in a moment, so it does not stand by for this one.
  const standing = (name: string) => {
    const other = state.hosts.get(name);
    const inFlight = (other !== undefined && isAtRisk(other)) || again.some((h) => h.name === name);
    return !inFlight && !isElsewhere(state, context.elsewhere, name);
  };
  const tight = context.rules.missing(readings.map((r) => ({ ...r, healthy: r.healthy.filter(standing) })));
  if (tight)
    return say(
      ...seen,
      waits(state, host, `waits for other ${tight.role} hosts that are in flight`, context),
    );
  const usage = measure(state, guarding(context, host.name), context.elsewhere);
  if (context.rules.blockedBy(usage, target) !== null) return say(...seen);
  for (const other of again) takeSlotAgain(usage, other);
  const block = context.rules.blockedBy(usage, target);
  if (block !== null) {
    const who = again.map((h) => h.name).join(", ");
    return say(...seen, waits(state, host, `waits (${block.limit}): given up, still at it: ${who}`, context));
  }
  if (back) return { events: [...seen, goesBack(state, host)], effects: [sendBack(host)] };
  const deadline = iso(context.now + state.plan.policy.confirmTimeoutMs);
  const msg = host.mode === "boot" ? "sets it for the next boot and restarts" : "activates";
  return {
    events: [
      ...seen,
      moved(state, host, "activating", msg, { fence: context.fence, deadline, mode: host.mode }),
    ],
    effects: [
      {
        kind: "activate",
        host: host.name,
        ...(context.rules.ignoresConsent(state.plan) ? { ignoreConsent: true } : {}),
      },
    ],
  };
}

/** Another rollout claimed the same room, or the guard's word grew old: the host, not told anything yet, waits again. */
export function giveBack(state: RolloutState, name: string, context: Context): EventBody[] {
  const host = state.hosts.get(name);
  const before = host?.state === "activating" ? "staged" : host?.state === "reverting" ? "updated" : null;
  if (!host || before === null) return [];
  const message = "the slot was gone before anything began";
  const pause = backoffMs({ ...host, name: `${state.plan.id} ${name}`, tries: 0 }, state.plan.policy);
  const failure = { code: "host-busy", message, transient: true };
  return [moved(state, host, before, message, { failure, deadline: iso(context.now + pause) })];
}

/** The guard does not agree now: asked again a little later. */
function waits(state: RolloutState, host: HostProgress, message: string, context: Context): EventBody {
  const deadline = iso(context.now + waitMs(state.plan.policy));
  const failure = { code: "needs-human", message, transient: true };
  return moved(state, host, host.state, message, { failure, deadline });
}
