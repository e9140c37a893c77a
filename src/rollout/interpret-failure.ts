/** What an effect that failed means for its host: try again, put it off, or call it failed. Pure. */
import type { Failure } from "../errors.ts";
import { about, iso, moved, runMoved } from "./bodies.ts";
import type { Context } from "./context.ts";
import type { EffectKind } from "./effects.ts";
import type { EventBody } from "./events.ts";
import { NOT_NOW, STILL_AT_IT } from "./host-progress.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { backoffMs, consentMs, pollMs } from "./timing.ts";

export function interpretFailure(
  state: RolloutState,
  host: HostProgress,
  kind: EffectKind,
  failure: Failure,
  context: Context,
): EventBody[] {
  const data = {
    code: failure.code,
    message: failure.message,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    transient: failure.transient,
  };
  const { policy } = state.plan;
  const retry = (inMs: number, msg: string) =>
    moved(state, host, host.state, msg, {
      failure: { ...data, transient: true },
      deadline: iso(context.now + inMs),
    });
  const again = () => retry(backoffMs(host, policy), `${failure.message}; tried again`);
  const soon = () => retry(pollMs(policy) * 2 ** Math.min(host.tries, 4), failure.message);
  const ends = (to: "failed" | "drifted" | "unknown", msg = failure.message) => [
    moved(state, host, to, msg, { failure: data }),
  ];

  if (failure.code === "host-fenced") return fenced(state, host, data);
  switch (host.state) {
    case "preflight":
    case "staging":
      if (!failure.transient) return ends(failure.code === "plan-stale" ? "drifted" : "failed");
      return givesUp(state, host, context) ? [putOff(state, host, data)] : [again()];
    case "staged":
      return [again()];
    case "activating":
      if (kind !== "activate") return [soon()];
      // Refused before anything began: the host is as it was.
      if (failure.code === "host-held") return [putOff(state, host, data)];
      if (failure.code === NOT_NOW) return [notNow(state, host, failure.askAgainMs, data, context)];
      if (failure.code === "copy-failed")
        return [moved(state, host, "staging", "its closure is not complete any more: copied again")];
      if (failure.code === "plan-stale") return ends("drifted");
      // The intent is written; whether the host saw it, only the host can say.
      return failure.transient ? [soon()] : ends("failed");
    case "committing":
      return failure.transient ? [soon()] : ends("unknown", `commit refused: ${failure.message}`);
    case "reverting":
      return failure.transient
        ? [soon()]
        : ends("failed", `could not be made to go back: ${failure.message}`);
    case "failed":
    case "reverted":
      // Given up: in flight again, or still silent.
      if (kind === "observe") return [failure.code === STILL_AT_IT ? soon() : again()];
      // Evidence could not be had: say so once and do not ask again.
      return [
        {
          ...about(state, host),
          type: "host.log",
          level: "warn",
          msg: `no evidence: ${failure.message}`,
          data: { lines: [`no evidence: ${failure.message}`] },
        },
      ];
    case "pending":
    case "deferred":
    case "skipped":
    case "drifted":
      return []; // An answer that nobody waits for any more.
    default:
      return [soon()];
  }
}

/** A host that obeys a higher fence belongs to another controller: this one lets go of it and starts nothing new. */
function fenced(
  state: RolloutState,
  host: HostProgress,
  failure: NonNullable<HostProgress["failure"]>,
): EventBody[] {
  const settled = host.state === "reverted" || host.state === "failed";
  const to = settled ? host.state : host.fence === null ? "deferred" : "unknown";
  const msg = `another controller has taken ${host.name} over`;
  const running = state.status === "running" || state.status === "baking";
  return [
    ...(settled
      ? [
          {
            ...about(state, host),
            type: "host.log" as const,
            level: "warn" as const,
            msg,
            data: { lines: [msg] },
          },
        ]
      : [moved(state, host, to, msg, { failure: { ...failure, transient: false } })]),
    ...(running ? [runMoved(state, "paused", msg, { reason: "lease", detail: msg })] : []),
  ];
}

/** Its owner was asked and does not agree: asked again when it said, or ever more rarely, for as long as the run waits. */
function notNow(
  state: RolloutState,
  host: HostProgress,
  askAgainMs: number | undefined,
  failure: NonNullable<HostProgress["failure"]>,
  { now }: Context,
): EventBody {
  const { policy } = state.plan;
  const waited = Math.max(0, now - (host.notNowSince ?? now));
  const pause = askAgainMs ?? Math.max(backoffMs({ ...host, tries: 0 }, policy), waited);
  if (waited + pause > consentMs(policy)) return putOff(state, host, failure);
  return moved(state, host, "staged", failure.message, { failure, deadline: iso(now + pause) });
}

function givesUp(state: RolloutState, host: HostProgress, { now }: Context): boolean {
  if (state.status === "paused") return false; // An outage is on: nobody is counted out for it.
  return now - (host.troubleSince ?? now) >= state.plan.policy.offline.unreachableDeadlineMs;
}

function putOff(
  state: RolloutState,
  host: HostProgress,
  failure: NonNullable<HostProgress["failure"]>,
): EventBody {
  const held = ["host-held", "host-busy", NOT_NOW].includes(failure.code);
  const msg = held ? failure.message : `out of reach: ${failure.message}`;
  // Given up in flight, and no word from it since: to try again in vain changes nothing about that.
  if (host.unsettled) return moved(state, host, "failed", msg, { failure: { ...failure, transient: false } });
  const { policy } = state.plan.policy.offline;
  return moved(state, host, held ? "deferred" : OFFLINE[policy], msg, { failure });
}

const OFFLINE = { defer: "deferred", fail: "failed", skip: "skipped" } as const;
