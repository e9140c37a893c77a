/** What one host needs next, from its state alone. Pure. Level-triggered: asking twice gives the same answer. */

import { moved } from "./bodies.ts";
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import type { EventBody } from "./events.ts";
import { isRolledBack } from "./roll-back.ts";
import { type HostProgress, isSilent, type RolloutState } from "./state.ts";
import { checkMs, giveUpAfterMs, lostAfterMs, pollMs } from "./timing.ts";

interface Attention extends Decision {
  readonly wakeAt: number | null;
}

const idle = (wakeAt: number | null = null): Attention => ({ events: [], effects: [], wakeAt });
const act = (effect: Effect): Attention => ({ events: [], effects: [effect], wakeAt: null });
const say = (...events: EventBody[]): Attention => ({ events, effects: [], wakeAt: null });

export function attend(state: RolloutState, host: HostProgress, context: Context): Attention {
  const { now } = context;
  if (context.inFlight.has(host.name) || isAbandoned(state, host, context)) return idle();
  const policy = state.plan.policy;
  const asked = host.seenSeq > context.resumedSeq;
  const lost = isLost(state, host, context);
  if (lost) return say(lost);
  if (host.retryAt !== null && now < host.retryAt) return idle(host.retryAt);
  const observe: Effect = { kind: "observe", host: host.name };
  /** At a steady pace; at once when it was not asked yet, or when the clock was set back. */
  const poll = (effect: Effect, pause: boolean) => {
    const due = pause && host.touchedAt <= now ? host.touchedAt + pollMs(policy) : now;
    return now >= due ? act(effect) : idle(due);
  };

  switch (host.state) {
    case "preflight":
      return act(observe);
    case "staging":
      return act({ kind: "stage", host: host.name });
    case "activating":
    case "rebooting":
      return poll(observe, asked);
    case "confirming":
      return asked ? confirming(state, host, context) : act(observe);
    case "committing":
      return asked ? act({ kind: "commit", host: host.name }) : act(observe);
    case "reverting":
      // Its guards agreed to one attempt to reach it, then. Whether that arrived only the host can say.
      if (isRolledBack(host)) return poll(observe, asked && host.touchedAt > host.since);
      return poll(
        {
          kind: "revert",
          host: host.name,
          reason: host.failure?.code === "health-failed" ? "health" : "operator",
        },
        host.touchedAt > host.since,
      );
    case "unknown":
      return poll(observe, host.touchedSeq > context.resumedSeq);
    case "updated":
      return act({ kind: "check", host: host.name, soaking: true });
    case "reverted":
      return act({ kind: "evidence", host: host.name });
    case "failed":
      return host.evidence === null ? act({ kind: "evidence", host: host.name }) : act(observe);
    default:
      return idle();
  }
}

/** Nothing more is asked of it now: it obeys another controller, or an outage lasts and the run waits for its end. */
export function isAbandoned(state: RolloutState, host: HostProgress, { now, resumedSeq }: Context): boolean {
  if (host.failure?.code === "host-fenced") return host.touchedSeq > resumedSeq;
  const outage = state.status === "paused" && state.reason === "uplink";
  return outage && isSilent(host) && now - state.statusAt > state.plan.policy.offline.unreachableDeadlineMs;
}

/** Silence has an end: first it counts as unknown, at last as a case for a person. */
function isLost(state: RolloutState, host: HostProgress, context: Context): EventBody | null {
  const { policy } = state.plan;
  const silentSince = host.state === "unknown" ? host.since : host.troubleSince;
  if (!isSilent(host) || silentSince === null || host.touchedSeq <= context.resumedSeq) return null;
  const since = Math.max(silentSince, context.resumedAt);
  // A reboot takes its own time: only after the healthy deadline on top is it given up as lost.
  const patience = lostAfterMs(policy) + (host.mode === "boot" ? policy.healthyDeadlineMs : 0);
  switch (host.state) {
    case "activating":
    case "rebooting":
    case "committing":
    case "confirming":
      return context.now - since > patience ? unknown(state, host) : null;
    case "unknown":
    case "reverting": {
      if (state.status === "paused" && state.reason === "uplink") return null;
      if (context.now - since <= giveUpAfterMs(policy)) return null;
      const message = host.committed
        ? "it was to go back to its old system and does not answer"
        : "silent since its activation; unless it was confirmed, it went back to its old system by itself";
      const hint = `macula-fleet rollout retry ${state.plan.id} asks it again`;
      return moved(state, host, "failed", message, {
        failure: { code: "unreachable", message, hint, transient: false },
      });
    }
    default:
      return null;
  }
}

/** Health must hold for `minHealthyTime` without a break, within `healthyDeadline`; then, and only then, commit. */
function confirming(state: RolloutState, host: HostProgress, { now, rules }: Context): Attention {
  const { policy } = state.plan;
  const { verdict, reason, resets, checkedAt } = host.health;
  if (now - Math.max(host.contactAt ?? 0, host.since) > lostAfterMs(policy)) return say(unknown(state, host));
  if (rules.proven(host))
    return say(moved(state, host, "committing", "healthy long enough: makes the new system permanent"));
  if (verdict === "failed" || now - host.since > policy.healthyDeadlineMs) {
    const message =
      reason === "flapping"
        ? `its health came and went ${resets} times`
        : `not healthy within ${Math.round(policy.healthyDeadlineMs / 1000)} s`;
    return say(
      moved(state, host, "reverting", message, {
        failure: { code: "health-failed", message, transient: false },
      }),
    );
  }
  const due = checkedAt === null || checkedAt > now ? now : checkedAt + checkMs(policy);
  return now >= due ? act({ kind: "check", host: host.name, soaking: false }) : idle(due);
}

function unknown(state: RolloutState, host: HostProgress): EventBody {
  const message = "no contact since the activation: it reverts itself, then this run learns of it";
  return moved(state, host, "unknown", message, {
    failure: { code: "connection-lost", message, transient: false },
    ...(host.deadline === null ? {} : { deadline: host.deadline }),
  });
}
