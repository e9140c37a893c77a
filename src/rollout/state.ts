/** The state of a run, derived from its events and nothing else. Pure: the terminal, a web page and resume share it. */
import type { Plan } from "../plan/model.ts";
import {
  type EventOf,
  type FleetEvent,
  type HostState,
  type PauseReason,
  type RunState,
  TERMINAL_STATES,
} from "./events.ts";

/** Continuous health of a host while it is being proven; ms since the epoch. */
export interface HealthTrack {
  readonly healthySince: number | null;
  /** Times it went from healthy back to unhealthy. */
  readonly resets: number;
  readonly checkedAt: number;
}

export interface HostProgress {
  readonly name: string;
  readonly state: HostState;
  readonly attempt: number;
  /** When it entered `state`, ms since the epoch. */
  readonly since: number;
  /** First transient failure of the current state; null while all is well. */
  readonly troubleSince: number | null;
  /** Not before this, ms since the epoch. */
  readonly retryAt: number | null;
  /** Transient failures in a row, for the backoff. */
  readonly tries: number;
  /** Last time it answered. */
  readonly contactAt: number | null;
  readonly fence: number | null;
  /** Recorded system to go back to. */
  readonly previous: string | null;
  readonly baselineFailed: readonly string[];
  readonly mode: "test" | "boot";
  /** Boot it was in when activation began: a reboot shows as a different one. */
  readonly bootId: string | null;
  /** When the host reverts itself, ISO 8601. */
  readonly deadline: string | null;
  readonly failure: EventOf<"host.state">["data"]["failure"] | null;
  readonly health: HealthTrack;
  readonly bytes: number;
  readonly evidence: readonly string[] | null;
  /** Already committed when it was made to revert: the revert must move the profile back too. */
  readonly committed: boolean;
  readonly wave: number;
}

export interface RolloutState {
  readonly plan: Plan;
  readonly status: RunState;
  readonly reason: PauseReason | null;
  readonly detail: string | null;
  /** 1-based current wave; 0 before the first. */
  readonly wave: number;
  readonly wavePhase: "updating" | "soaking" | "gate" | "done";
  readonly soakUntil: number | null;
  readonly hosts: ReadonlyMap<string, HostProgress>;
  /** Gates to pass without waiting: up to this wave index; `full` means all. */
  readonly promotedTo: number;
  readonly lastSeq: number;
  readonly startedAt: number;
  /** Last time a host became updated, or the run (re)started: the progress deadline counts from here. */
  readonly progressAt: number;
  readonly endedAt: number | null;
}

const FRESH_HEALTH: HealthTrack = { healthySince: null, resets: 0, checkedAt: 0 };

export function initialState(event: EventOf<"plan">): RolloutState {
  const plan = event.data.plan as Plan;
  const at = Date.parse(event.ts);
  const wave = new Map(plan.waves.flatMap((w) => w.hosts.map((host) => [host, w.index] as const)));
  const fresh = (name: string, state: HostState): HostProgress => ({
    name,
    state,
    attempt: 1,
    since: at,
    troubleSince: null,
    retryAt: null,
    tries: 0,
    contactAt: null,
    fence: null,
    previous: null,
    baselineFailed: [],
    mode: "test",
    bootId: null,
    deadline: null,
    failure: null,
    health: FRESH_HEALTH,
    bytes: 0,
    evidence: null,
    committed: false,
    wave: wave.get(name) ?? 0,
  });
  return {
    plan,
    status: "planned",
    reason: null,
    detail: null,
    wave: 0,
    wavePhase: "done",
    soakUntil: null,
    hosts: new Map([
      ...plan.hosts.map((h) => [h.name, fresh(h.name, "pending")] as const),
      ...plan.excluded.map((e) => [e.host, fresh(e.host, e.state)] as const),
    ]),
    promotedTo: 0,
    lastSeq: event.seq,
    startedAt: at,
    progressAt: at,
    endedAt: null,
  };
}

/** The whole run from its journal. The first event is always the plan. */
export function replay(events: Iterable<FleetEvent>): RolloutState | null {
  let state: RolloutState | null = null;
  for (const event of events) state = evolve(state, event);
  return state;
}

export function evolve(state: RolloutState | null, event: FleetEvent): RolloutState {
  if (event.type === "plan") return initialState(event);
  if (state === null) throw new TypeError(`a run starts with its plan, not with ${event.type}`);
  return { ...apply(state, event), lastSeq: event.seq };
}

function apply(state: RolloutState, event: Exclude<FleetEvent, { type: "plan" }>): RolloutState {
  const at = Date.parse(event.ts);
  switch (event.type) {
    case "rollout.state":
      return withRunState(state, event.data, at);
    case "rollout.command": {
      if (event.data.command !== "promote") return state;
      const to = event.data.full ? state.plan.waves.length : (event.data.toWave ?? state.wave + 1) - 1;
      return { ...state, promotedTo: Math.max(state.promotedTo, to) };
    }
    case "wave.start":
      return { ...state, wave: event.wave ?? state.wave + 1, wavePhase: "updating", soakUntil: null };
    case "wave.soak":
      return { ...state, wavePhase: "soaking", soakUntil: Date.parse(event.data.until) };
    case "wave.gate":
      return { ...state, wavePhase: "gate" };
    case "wave.end":
      return { ...state, wavePhase: "done", soakUntil: null };
    case "host.state":
      return withHostState(state, event, at);
    case "host.check":
      return withHost(state, event.host, (host) => ({
        ...host,
        health: track(host.health, event.data.healthy, at),
        contactAt: at,
        troubleSince: null,
        tries: 0,
        retryAt: null,
      }));
    case "host.log":
      return withHost(state, event.host, (host) => ({ ...host, evidence: event.data.lines }));
    case "budget":
    case "prompt":
    case "diagnostic":
    case "summary":
      return state;
  }
}

function withRunState(state: RolloutState, data: EventOf<"rollout.state">["data"], at: number): RolloutState {
  const resumed = data.to === "running";
  return {
    ...state,
    status: data.to,
    reason: data.reason ?? null,
    detail: data.detail ?? null,
    progressAt: resumed ? at : state.progressAt,
    soakUntil: data.to === "baking" && data.detail ? Date.parse(data.detail) : state.soakUntil,
    endedAt: TERMINAL_STATES.has(data.to) ? at : null,
  };
}

function withHostState(state: RolloutState, event: EventOf<"host.state">, at: number): RolloutState {
  const d = event.data;
  const next = withHost(state, event.host, (host) => {
    const moved = d.to !== host.state || event.attempt !== host.attempt;
    const trouble = d.failure?.transient === true;
    return {
      ...host,
      state: d.to,
      attempt: event.attempt ?? host.attempt,
      since: moved ? at : host.since,
      troubleSince: trouble ? (host.troubleSince ?? at) : null,
      tries: trouble ? host.tries + 1 : 0,
      retryAt: trouble && d.deadline ? Date.parse(d.deadline) : null,
      contactAt: d.failure ? host.contactAt : at,
      fence: d.fence ?? host.fence,
      previous: d.previous ?? host.previous,
      baselineFailed: d.baselineFailed ?? host.baselineFailed,
      mode: d.mode ?? host.mode,
      bootId: typeof d.detail?.["bootId"] === "string" ? d.detail["bootId"] : host.bootId,
      deadline: trouble ? host.deadline : (d.deadline ?? (moved ? null : host.deadline)),
      failure: d.failure ?? (moved && !["reverting", "reverted"].includes(d.to) ? null : host.failure),
      health: moved && (d.to === "confirming" || d.to === "updated") ? FRESH_HEALTH : host.health,
      bytes: host.bytes + (d.bytes ?? 0),
      committed:
        d.to === "updated" ? true : d.to === "reverted" || d.to === "pending" ? false : host.committed,
    };
  });
  return d.to === "updated" && d.from !== "updated" ? { ...next, progressAt: at } : next;
}

function withHost(
  state: RolloutState,
  name: string | undefined,
  change: (host: HostProgress) => HostProgress,
): RolloutState {
  const host = name === undefined ? undefined : state.hosts.get(name);
  if (!host) return state;
  const hosts = new Map(state.hosts);
  hosts.set(host.name, change(host));
  return { ...state, hosts };
}

function track(health: HealthTrack, healthy: boolean, at: number): HealthTrack {
  if (healthy) return { ...health, healthySince: health.healthySince ?? at, checkedAt: at };
  return {
    healthySince: null,
    resets: health.resets + (health.healthySince === null ? 0 : 1),
    checkedAt: at,
  };
}
