/** The state of a run, derived from its events and nothing else. Pure: the terminal, a web page and resume share it. */
import { observeHealth, unknownHealth } from "../health/evaluate.ts";
import type { Plan, PlannedHost } from "../plan/model.ts";
import {
  type EventOf,
  type FleetEvent,
  type HostState,
  type PauseReason,
  type RunState,
  TERMINAL_STATES,
} from "./events.ts";
import { hostAfter } from "./host-evolve.ts";
import { HostMap } from "./host-map.ts";
import { attemptKey, type HostProgress } from "./host-progress.ts";
import { healthPolicy } from "./timing.ts";

export { attemptKey, type HostProgress, isGivenUp, isSilent } from "./host-progress.ts";

export interface RolloutState {
  readonly plan: Plan;
  readonly status: RunState;
  readonly reason: PauseReason | null;
  readonly detail: string | null;
  /** When a pause ends by itself, ms since the epoch; null: never. */
  readonly until: number | null;
  /** 1-based current wave; 0 before the first. */
  readonly wave: number;
  readonly wavePhase: "updating" | "soaking" | "gate" | "done";
  readonly soakUntil: number | null;
  /** In sections: each wave, then those in none. */
  readonly hosts: HostMap<HostProgress>;
  /** The plan's hosts by name. */
  readonly targets: ReadonlyMap<string, PlannedHost>;
  /** Failures an operator promoted past, as `host/attempt`: they stop nothing any more. */
  readonly accepted: ReadonlySet<string>;
  /** Gates to pass without waiting: up to this wave index; `full` means all. */
  readonly promotedTo: number;
  /** Soaks to cut short when they begin: up to this wave index. */
  readonly soaksCutTo: number;
  /** Place of the word that cut this soak or bake short: it ends once every host was seen healthy after it. */
  readonly cutShortSeq: number | null;
  readonly lastSeq: number;
  readonly startedAt: number;
  /** Last time a host became updated, a wave began or the run (re)started: the progress deadline counts from here. */
  readonly progressAt: number;
  /** Paused for a window: how much of that deadline had passed, ms. A run that is open only now and then has to get on, too. */
  readonly quietMs: number;
  readonly endedAt: number | null;
  /** Place of its last end, before that of its plan: what hosts did until then is remembered already. */
  readonly rememberedSeq: number;
  /** When it entered `status`. */
  readonly statusAt: number;
  /** Nothing happened since the last summary: it still stands. */
  readonly summarized: boolean;
}

export function initialState(event: EventOf<"plan">): RolloutState {
  const plan = event.data.plan as Plan;
  const at = Date.parse(event.ts);
  const targets = new Map(plan.hosts.map((h) => [h.name, h]));
  const wave = new Map(plan.waves.flatMap((w) => w.hosts.map((host) => [host, w.index] as const)));
  const fresh = (name: string, state: HostState): HostProgress => ({
    name,
    role: targets.get(name)?.role ?? null,
    site: targets.get(name)?.site ?? null,
    state,
    attempt: 1,
    since: at,
    sinceSeq: event.seq,
    troubleSince: null,
    trouble: null,
    retryAt: null,
    tries: 0,
    notNowSince: null,
    contactAt: null,
    touchedAt: at,
    touchedSeq: event.seq,
    seenSeq: event.seq,
    wellSeq: 0,
    fence: null,
    previous: null,
    baselineFailed: [],
    mode: "test",
    bootId: null,
    deadline: null,
    failure: null,
    health: unknownHealth,
    bytes: 0,
    evidence: null,
    committed: false,
    unsettled: false,
    inFlightAt: null,
    wave: wave.get(name) ?? 0,
  });
  const names = new Map<string, HostState>([
    ...plan.hosts.map((h) => [h.name, "pending"] as const),
    ...plan.excluded.map((e) => [e.host, e.state] as const),
  ]);
  const order = [...new Set([...plan.waves.flatMap((w) => w.hosts), ...names.keys()])];
  const byWave = Map.groupBy(order, (name) => wave.get(name) ?? 0);
  const inWave = (index: number) =>
    (byWave.get(index) ?? []).flatMap((name) => {
      const state = names.get(name);
      return state === undefined ? [] : [[name, fresh(name, state)] as const];
    });
  return {
    plan,
    status: "planned",
    reason: null,
    detail: null,
    until: null,
    wave: 0,
    wavePhase: "done",
    soakUntil: null,
    hosts: HostMap.of(...plan.waves.map((w) => inWave(w.index)), inWave(0)),
    targets,
    accepted: new Set(),
    promotedTo: 0,
    soaksCutTo: 0,
    cutShortSeq: null,
    lastSeq: event.seq,
    startedAt: at,
    progressAt: at,
    quietMs: 0,
    endedAt: null,
    rememberedSeq: event.seq,
    statusAt: at,
    summarized: false,
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
  return { ...apply(state, event), lastSeq: event.seq, summarized: event.type === "summary" };
}

function apply(state: RolloutState, event: Exclude<FleetEvent, { type: "plan" }>): RolloutState {
  const at = Date.parse(event.ts);
  switch (event.type) {
    case "rollout.state":
      return withRunState(state, event, at);
    case "rollout.command":
      return event.data.command === "promote" ? promoted(state, event) : state;
    case "wave.start":
      // A long soak before it was no lack of progress.
      return {
        ...state,
        wave: event.wave ?? state.wave + 1,
        wavePhase: "updating",
        soakUntil: null,
        cutShortSeq: null,
        progressAt: at,
      };
    case "wave.soak":
      return {
        ...state,
        wavePhase: "soaking",
        soakUntil: Date.parse(event.data.until),
        cutShortSeq: state.soaksCutTo >= state.wave ? event.seq : null,
      };
    case "wave.gate":
      return { ...state, wavePhase: "gate" };
    case "wave.end":
      return { ...state, wavePhase: "done", soakUntil: null };
    case "host.state":
      return withHostState(state, event, at);
    case "host.check":
      return withHost(state, event.host, (host) => ({
        ...host,
        health: observeHealth(
          host.health,
          { at, results: event.data.results },
          healthPolicy(state.plan.policy),
          host.since,
        ),
        contactAt: at,
        touchedAt: at,
        touchedSeq: event.seq,
        seenSeq: event.seq,
        wellSeq: event.data.healthy ? event.seq : 0,
        troubleSince: null,
        trouble: null,
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

/** Past a gate, with what is left of the soak before it; of a run stopped by failures, also past those. */
function promoted(state: RolloutState, { data, seq }: EventOf<"rollout.command">): RolloutState {
  const to = data.full ? state.plan.waves.length : (data.toWave ?? state.wave + 1) - 1;
  const failed = ["reverted", "failed", "drifted"];
  const passed =
    state.status === "paused" && state.reason === "failures"
      ? [...state.hosts.values()].filter((h) => failed.includes(h.state)).map(attemptKey)
      : [];
  return {
    ...state,
    promotedTo: Math.max(state.promotedTo, to),
    soaksCutTo: data.full || data.toWave !== undefined ? Math.max(state.soaksCutTo, to) : state.soaksCutTo,
    cutShortSeq: data.cutShort === undefined ? state.cutShortSeq : seq,
    accepted: passed.length > 0 ? new Set([...state.accepted, ...passed]) : state.accepted,
  };
}

function withRunState(
  state: RolloutState,
  { data, seq }: EventOf<"rollout.state">,
  at: number,
): RolloutState {
  const over = TERMINAL_STATES.has(data.to);
  const resumed = data.to === "running";
  return {
    ...state,
    status: data.to,
    reason: data.reason ?? null,
    detail: data.detail ?? null,
    statusAt: at,
    progressAt: resumed ? at - state.quietMs : state.progressAt,
    quietMs: data.quietMs ?? 0,
    until: data.until === undefined ? null : Date.parse(data.until),
    soakUntil: data.to === "baking" && data.until ? Date.parse(data.until) : state.soakUntil,
    endedAt: over ? at : null,
    rememberedSeq: over ? seq : state.rememberedSeq,
  };
}

function withHostState(state: RolloutState, event: EventOf<"host.state">, at: number): RolloutState {
  const d = event.data;
  const next = withHost(state, event.host, (host) => hostAfter(host, event, at));
  return d.to === "updated" && d.from !== "updated" ? { ...next, progressAt: at } : next;
}

function withHost(
  state: RolloutState,
  name: string | undefined,
  change: (host: HostProgress) => HostProgress,
): RolloutState {
  const host = name === undefined ? undefined : state.hosts.get(name);
  if (!host) return state;
  return { ...state, hosts: state.hosts.with(host.name, change(host)) };
}
