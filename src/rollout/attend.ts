/** What one host needs next, from its state alone. Pure. Level-triggered: asking twice gives the same answer. */

import { moved } from "./bodies.ts";
import type { Context } from "./decide.ts";
import type { Decision, Effect } from "./effects.ts";
import type { EventBody } from "./events.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { checkMs, lostAfterMs, MAX_FLAPS, pollMs } from "./timing.ts";

interface Attention extends Decision {
  readonly wakeAt: number | null;
}

const idle = (wakeAt: number | null = null): Attention => ({ events: [], effects: [], wakeAt });
const act = (effect: Effect): Attention => ({ events: [], effects: [effect], wakeAt: null });
const say = (...events: EventBody[]): Attention => ({ events, effects: [], wakeAt: null });

export function attend(state: RolloutState, host: HostProgress, context: Context): Attention {
  const { now } = context;
  if (context.inFlight.has(host.name)) return idle();
  if (host.retryAt !== null && now < host.retryAt) return idle(host.retryAt);
  const policy = state.plan.policy;
  const lastSeen = Math.max(host.since, host.contactAt ?? 0);
  const seenSinceResume = lastSeen >= context.resumedAt;
  const poll = (at: number, effect: Effect) => (now >= at ? act(effect) : idle(at));

  switch (host.state) {
    case "preflight":
      return act({ kind: "observe", host: host.name });
    case "staging":
      return act({ kind: "stage", host: host.name });
    case "activating":
    case "rebooting":
      // A reboot takes its own time: only after the healthy deadline on top is it given up as lost.
      if (
        now - host.since > lostAfterMs(policy) + (host.mode === "boot" ? policy.healthyDeadlineMs : 0) &&
        host.troubleSince !== null
      ) {
        return say(lost(state, host));
      }
      return poll(seenSinceResume ? lastSeen + pollMs(policy) : 0, { kind: "observe", host: host.name });
    case "confirming":
      return seenSinceResume ? confirming(state, host, context) : act({ kind: "observe", host: host.name });
    case "committing":
      return act(
        seenSinceResume ? { kind: "commit", host: host.name } : { kind: "observe", host: host.name },
      );
    case "reverting":
      return poll(lastSeen === host.since ? 0 : lastSeen + pollMs(policy), {
        kind: "revert",
        host: host.name,
        reason: host.failure?.code === "health-failed" ? "health" : "operator",
      });
    case "unknown":
      return poll(lastSeen + pollMs(policy), { kind: "observe", host: host.name });
    case "reverted":
    case "failed":
      return host.previous !== null && host.evidence === null
        ? act({ kind: "evidence", host: host.name })
        : idle();
    default:
      return idle();
  }
}

/** Health must hold for `minHealthyTime` without a break, within `healthyDeadline`; then, and only then, commit. */
function confirming(state: RolloutState, host: HostProgress, { now }: Context): Attention {
  const policy = state.plan.policy;
  const { healthySince, resets, checkedAt } = host.health;
  if (now - Math.max(host.contactAt ?? 0, host.since) > lostAfterMs(policy)) return say(lost(state, host));
  if (healthySince !== null && checkedAt - healthySince >= policy.minHealthyTimeMs) {
    return {
      ...say(moved(state, host, "committing", "healthy long enough: makes the new system permanent")),
      wakeAt: null,
    };
  }
  const flapping = resets > MAX_FLAPS;
  if (flapping || now - host.since > policy.healthyDeadlineMs) {
    const message = flapping
      ? `its health came and went ${resets} times`
      : `not healthy within ${Math.round(policy.healthyDeadlineMs / 1000)} s`;
    return say(
      moved(state, host, "reverting", message, {
        failure: { code: "health-failed", message, transient: false },
      }),
    );
  }
  const due = checkedAt === 0 ? 0 : checkedAt + checkMs(policy);
  return now >= due ? act({ kind: "check", host: host.name, soaking: false }) : idle(due);
}

function lost(state: RolloutState, host: HostProgress): EventBody {
  const message = "no contact since the activation: it reverts itself, then this run learns of it";
  return moved(state, host, "unknown", message, {
    failure: { code: "connection-lost", message, transient: false },
    ...(host.deadline === null ? {} : { deadline: host.deadline }),
  });
}
