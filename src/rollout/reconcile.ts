/**
 * The recovery table (rollouts.md §2.4): what a host is found doing -> what the run now believes of it.
 * Used while an activation runs, after lost contact and on resume; truth is always on the host. Pure.
 */
import type { HostStateFile, Observation } from "../host/protocol.ts";
import { moved } from "./bodies.ts";
import type { EventBody, HostState } from "./events.ts";
import { isRolledBack } from "./roll-back.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { lateWordMs } from "./timing.ts";

export interface Place {
  readonly state: RolloutState;
  readonly host: HostProgress;
  readonly to: string;
  /** Ours; a host that has seen a higher one belongs to somebody else now. */
  readonly fence: number;
  readonly now: number;
}

type Extra = Parameters<typeof moved>[4];
type Go = (next: HostState, msg: string, extra?: Extra) => EventBody | null;

/** null: nothing new, keep waiting. */
export function reconcile(place: Place, seen: Observation): EventBody | null {
  const { state, host, fence } = place;
  const file = seen.state;
  const go: Go = (next, msg, extra = {}) =>
    next === host.state && !extra.failure ? null : moved(state, host, next, msg, extra);
  if (file && file.fence > fence) {
    return go("unknown", `another controller (fence ${file.fence}) has taken this host over`, {
      failure: failed("host-fenced", `fence ${file.fence} is newer than ours (${fence})`),
    });
  }
  if (file?.rollout !== state.plan.id || file.attempt !== host.attempt) return untouched(place, seen, go);
  return recorded(place, seen, file, go);
}

/** Its word may still be on the way. */
const isLate = ({ state, host, now }: Place): boolean =>
  now >= host.since && now - host.since < lateWordMs(state.plan.policy);

/** The host knows nothing of this attempt. */
function untouched(place: Place, seen: Observation, go: Go): EventBody | null {
  const { host } = place;
  if (seen.current !== host.previous) {
    return go("drifted", `runs ${seen.current}, which this rollout neither found nor put there`, {
      failure: failed("host-protocol", "runs an unexpected system"),
    });
  }
  if (host.state === "reverting") return go("reverted", "nothing had begun there");
  if (host.state === "activating" && isLate(place)) return null;
  if (seen.closureValid === false) return go("staging", "the activation never began and its closure is gone");
  return go("staged", "the activation never began; it is tried again");
}

/** The host's own record of this attempt. */
function recorded(place: Place, seen: Observation, file: HostStateFile, go: Go): EventBody | null {
  const { state, host, to } = place;
  // The record was written in an earlier boot: what it says about running units is over.
  const restarted = seen.bootId !== file.bootId;
  const goingBack = host.state === "reverting";
  switch (file.phase) {
    case "committed":
      if (isRolledBack(host) && !isLate(place))
        return go("updated", "was not told to go back: waits for its turn");
      if (goingBack) return null; // Made to revert after its commit: it has not begun yet.
      return seen.current === to || seen.profile === to
        ? go("updated", "committed: profile and boot default are the new system")
        : go("drifted", "committed, then changed by somebody else", {
            failure: failed("host-protocol", "changed after the commit"),
          });
    case "reverted":
      return go("reverted", `reverted itself: ${why(file.reason)}`, {
        failure: goingBack && host.failure?.transient === false ? host.failure : revertFailure(file.reason),
      });
    case "revert-failed":
      return go("failed", "could not go back to its old system by itself", {
        failure: {
          ...failed("activation-failed", "the revert failed on the host"),
          hint: `macula-fleet ssh ${host.name}, then look at /var/log/macula-fleet/${state.plan.id}.log`,
        },
      });
    case "reverting":
      return go(
        "reverting",
        `is reverting: ${why(file.reason)}`,
        goingBack ? {} : { failure: revertFailure(file.reason) },
      );
    case "activated":
    case "activating":
      if (seen.current === host.previous && (restarted || (!seen.activateActive && !seen.revertArmed))) {
        // Restarting into the new system on purpose: the record of the next boot says how that went.
        if (file.mode === "boot" && !restarted)
          return goingBack ? null : go("rebooting", "restarts into the new system");
        return go("reverted", restarted ? "restarted into its old system" : "is back on its old system", {
          failure: revertFailure(restarted ? "boot" : "timeout"),
        });
      }
      if (seen.current === to && (file.phase === "activated" || restarted)) {
        if (file.rc !== null && file.rc !== 0 && file.rc !== 4 && !restarted) {
          return go("reverting", `activation ended with status ${file.rc}`, {
            failure: revertFailure("activation"),
          });
        }
        return goingBack ? null : go("confirming", "runs the new system, not committed yet");
      }
      return file.mode === "boot" && !goingBack ? go("rebooting", "restarting into the new system") : null;
  }
}

const REASONS: Record<string, string> = {
  timeout: "nobody confirmed in time",
  activation: "the activation failed",
  health: "it was not healthy",
  operator: "an operator asked for it",
  boot: "the new system was not confirmed before a restart",
};

const why = (reason: string | null): string => REASONS[reason ?? ""] ?? reason ?? "no reason recorded";

const failed = (code: string, message: string) => ({ code, message, transient: false });

function revertFailure(reason: string | null) {
  const code =
    reason === "health" ? "health-failed" : reason === "timeout" ? "connection-lost" : "activation-failed";
  return failed(code, why(reason));
}
