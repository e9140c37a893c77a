/** Event bodies, so that the core reads as policy. Pure. */
import type { EventBody, EventOf, HostState, RunState } from "./events.ts";
import type { HostProgress, RolloutState } from "./state.ts";

type HostData = EventOf<"host.state">["data"];

const LEVEL: Partial<Record<HostState, "warn" | "error">> = {
  deferred: "warn",
  reverting: "warn",
  reverted: "error",
  failed: "error",
  unknown: "warn",
  drifted: "error",
};

/** Who and where, for the envelope of every event about one host. */
export function about(state: RolloutState, host: HostProgress) {
  const p = state.targets.get(host.name);
  return {
    ...(host.wave > 0 ? { wave: host.wave } : {}),
    host: host.name,
    ...(p ? { role: p.role } : {}),
    ...(p?.site ? { site: p.site } : {}),
    attempt: host.attempt,
  };
}

export function moved(
  state: RolloutState,
  host: HostProgress,
  to: HostState,
  msg: string,
  extra: Omit<HostData, "from" | "to"> = {},
): EventBody {
  return {
    ...about(state, host),
    type: "host.state",
    level: LEVEL[to] ?? (extra.failure ? "warn" : "info"),
    msg,
    data: { from: host.state, to, ...extra },
  };
}

export function runMoved(
  state: RolloutState,
  to: RunState,
  msg: string,
  more: Omit<EventOf<"rollout.state">["data"], "from" | "to"> = {},
): EventBody {
  return {
    type: "rollout.state",
    level: to === "paused" || to === "aborting" || to === "rolling_back" ? "warn" : "info",
    msg,
    data: { from: state.status, to, ...more },
  };
}

export const iso = (ms: number): string => new Date(ms).toISOString();
