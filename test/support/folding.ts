/** One more event on a run, and what is then known. */
import type { EventBody, FleetEvent, HostState } from "../../src/rollout/events.ts";
import { evolve, type RolloutState } from "../../src/rollout/state.ts";
import { iso, MINUTE, PLAN } from "./one-host.ts";
import { host, progress, T0 } from "./run.ts";

export const add = (state: RolloutState, body: EventBody, ts = T0 + 60 * MINUTE): RolloutState =>
  evolve(state, { ...body, ts: iso(ts), seq: state.lastSeq + 1, rollout: PLAN.id } as FleetEvent);
/** What is known of `a` after one more event, an hour later. */
export const next = (state: RolloutState, body: EventBody) => progress(add(state, body), "a");
export const LATER = T0 + 60 * MINUTE;
export const failure = (code: string, transient = true) => ({ code, message: "why", transient });
export const same = (state: HostState, data: Parameters<typeof host>[2] = {}) =>
  host("a", state, { from: state, ...data });
