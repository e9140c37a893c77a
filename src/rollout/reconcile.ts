/**
 * The recovery table (rollouts.md §2.4): what a host is found doing -> what the run now believes of it.
 * Used while an activation runs, after lost contact and on resume; truth is always on the host. Pure.
 */
import type { Observation } from "../host/protocol.ts";
import { moved } from "./bodies.ts";
import type { EventBody } from "./events.ts";
import type { HostProgress, RolloutState } from "./state.ts";

export interface Place {
  readonly state: RolloutState;
  readonly host: HostProgress;
  readonly to: string;
  /** Ours; a host that has seen a higher one belongs to somebody else now. */
  readonly fence: number;
}

/** null: nothing new, keep waiting. */
export function reconcile({ state, host, to, fence }: Place, seen: Observation): EventBody | null {
  const file = seen.state;
  const mine = file?.rollout === state.plan.id && file.attempt === host.attempt;
  const from = host.previous;
  const restarted = host.bootId !== null && seen.bootId !== host.bootId;
  const go = (next: Parameters<typeof moved>[2], msg: string, extra: Parameters<typeof moved>[4] = {}) =>
    next === host.state && !extra.failure ? null : moved(state, host, next, msg, extra);

  if (file && file.fence > fence) {
    return go("unknown", `another controller (fence ${file.fence}) has taken this host over`, {
      failure: {
        code: "host-fenced",
        message: `fence ${file.fence} is newer than ours (${fence})`,
        transient: false,
      },
    });
  }
  if (!mine) {
    if (seen.current === from) return go("staged", "the activation never began; it is tried again");
    return go("drifted", `runs ${seen.current}, which this rollout neither found nor put there`, {
      failure: { code: "host-protocol", message: "runs an unexpected system", transient: false },
    });
  }
  switch (file.phase) {
    case "committed":
      // Made to revert after its commit: the host has not begun yet.
      if (host.state === "reverting") return null;
      return seen.current === to || seen.profile === to
        ? go("updated", "committed: profile and boot default are the new system")
        : go("drifted", "committed, then changed by somebody else", {
            failure: { code: "host-protocol", message: "changed after the commit", transient: false },
          });
    case "reverted":
      return go("reverted", `reverted itself: ${why(file.reason)}`, { failure: revertFailure(file.reason) });
    case "revert-failed":
      return go("failed", "could not go back to its old system by itself", {
        failure: {
          code: "activation-failed",
          message: "the revert failed on the host",
          hint: `macula-fleet ssh ${host.name}, then look at /var/log/macula-fleet/${state.plan.id}.log`,
          transient: false,
        },
      });
    case "reverting":
      return go("reverting", `is reverting: ${why(file.reason)}`);
    case "activated":
    case "activating": {
      if (seen.current === from && (restarted || !seen.activateActive) && (restarted || !seen.revertArmed)) {
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
        return host.state === "reverting" ? null : go("confirming", "runs the new system, not committed yet");
      }
      return file.mode === "boot" && host.state !== "reverting"
        ? go("rebooting", "restarting into the new system")
        : null;
    }
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

function revertFailure(reason: string | null) {
  return {
    code:
      reason === "health" ? "health-failed" : reason === "timeout" ? "connection-lost" : "activation-failed",
    message: why(reason),
    transient: false,
  };
}
