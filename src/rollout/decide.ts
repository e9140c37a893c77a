/**
 * The whole rollout policy: given what happened, what happens next. Pure; called again after every event and
 * every outcome, so it never needs to remember. Reading order: `decide`, then `advance` (the waves), then
 * `attend` (one host).
 */
import { estimateMs } from "../plan/windows.ts";
import { attend, isAbandoned } from "./attend.ts";
import { iso, runMoved } from "./bodies.ts";
import { failureVerdict } from "./budgets.ts";
import { isAtRisk, isPreparing } from "./classes.ts";
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import { type EventBody, TERMINAL_STATES } from "./events.ts";
import { countIn, hasAny, hostsIn, needsEvidence } from "./groups.ts";
import { outage, stillOut } from "./outage.ts";
import { advanceWave } from "./progress.ts";
import { rollBack } from "./roll-back.ts";
import { activate, obstacle, prepare } from "./slots.ts";
import { soakChecks } from "./soak.ts";
import { isGivenUp, isSilent, type RolloutState } from "./state.ts";
import { windowsOpenAt } from "./window-wait.ts";

export type { Context } from "./context.ts";

export interface Verdict extends Decision {
  /** Nothing left to do for this controller: ended, paused with nothing in flight, or drained. */
  readonly idle: boolean;
  /** Look again at this time at the latest, ms since the epoch. */
  readonly wakeAt: number | null;
}

export function decide(state: RolloutState, context: Context): Verdict {
  if (TERMINAL_STATES.has(state.status)) return { events: [], effects: [], idle: true, wakeAt: null };
  if (state.status === "planned" || state.status === "queued") {
    if (context.draining) return { events: [], effects: [], idle: true, wakeAt: null };
    return {
      events: [runMoved(state, "running", "rollout started")],
      effects: [],
      idle: false,
      wakeAt: null,
    };
  }
  const turn = new Turn(state, context);
  const running = state.status === "running" && !context.draining;
  const outOfReach = state.status === "paused" && state.reason === "uplink";

  for (const host of hostsIn(state, "watched")) {
    const waitedFor = outOfReach && (isPreparing(host) || (host.state === "updated" && isSilent(host)));
    const open = isPreparing(host) || isGivenUp(host);
    if (isAtRisk(host) || (running && open) || waitedFor || needsEvidence(host))
      turn.take(attend(state, host, context));
  }
  if (running || state.status === "baking") turn.take(stop(state));
  if (turn.events.length === 0) turn.take(advance(turn, running));
  const waiting = state.status === "paused" ? !turn.waitsForWindow : context.draining;
  return {
    events: turn.events,
    effects: turn.effects,
    idle: waiting && !turn.busy && turn.events.length === 0 && turn.effects.length === 0,
    wakeAt: turn.wakeAt,
  };
}

/** Collects one decision; knows what is under way. */
class Turn {
  readonly events: EventBody[] = [];
  readonly effects: Effect[] = [];
  readonly state: RolloutState;
  readonly context: Context;
  wakeAt: number | null = null;
  waitsForWindow = false;
  readonly #taken = new Set<string>();

  constructor(state: RolloutState, context: Context) {
    this.state = state;
    this.context = context;
  }

  take(decision: Decision & { readonly wakeAt?: number | null }): void {
    this.events.push(...decision.events);
    for (const effect of decision.effects) {
      if (this.context.inFlight.has(effect.host) || this.#taken.has(effect.host)) continue;
      this.#taken.add(effect.host);
      this.effects.push(effect);
    }
    this.wakeAt = earlier(this.wakeAt, decision.wakeAt);
  }

  /** Is any host at risk that can still be helped, or any effect under way? */
  get busy(): boolean {
    return (
      this.context.inFlight.size > 0 ||
      hostsIn(this.state, "atRisk").some((h) => !isAbandoned(this.state, h, this.context))
    );
  }
}

/** Reasons to start nothing new: an outage, which is nobody's failure, or failures. */
function stop(state: RolloutState): Decision {
  const out = outage(state);
  if (out) {
    const who = out.hosts.slice(0, 5).join(", ");
    const msg =
      out.site === null
        ? `${who} fell silent together, at several sites: is this controller cut off? Nothing is counted as failed`
        : `${who} fell silent together: the uplink of ${out.site} seems down. Nothing is counted as failed`;
    return { events: [runMoved(state, "paused", msg, { reason: "uplink", detail: msg })], effects: [] };
  }
  const verdict = failureVerdict(state);
  if (!verdict || state.plan.policy.onFailure === "continue") return NONE;
  const msg = `${verdict.failed} failed in ${verdict.where}, ${verdict.allowed} tolerated`;
  const why = { reason: "failures", detail: msg } as const;
  const rollback = state.plan.policy.onFailure === "rollback";
  return {
    events: [
      rollback
        ? runMoved(state, "rolling_back", `${msg}: every updated host goes back`, why)
        : runMoved(state, "paused", `${msg}: nothing new is started`, why),
    ],
    effects: [],
  };
}

type Step = Decision & { readonly wakeAt?: number | null };
const NONE: Decision = { events: [], effects: [] };

/** The run as a whole, by its state. */
function advance(turn: Turn, running: boolean): Step {
  const { state, context } = turn;
  switch (state.status) {
    case "running":
      return running ? advanceRunning(turn) : NONE;
    case "baking": {
      const checks = soakChecks(state, context);
      const next = advanceWave(state, context);
      return { ...next, effects: checks.effects, wakeAt: earlier(next.wakeAt, checks.wakeAt) };
    }
    case "aborting":
      return turn.busy
        ? NONE
        : { events: [runMoved(state, "aborted", "aborted; nothing is in flight")], effects: [] };
    case "rolling_back":
      return rollBack(state, context, turn.busy);
    case "paused":
      return paused(turn);
    default:
      return NONE;
  }
}

/** Two pauses end by themselves: an outage when contact is back, a closed window when it opens. */
function paused(turn: Turn): Step {
  const { state, context } = turn;
  if (context.draining) return NONE;
  if (state.reason === "uplink" && !stillOut(state))
    return { events: [runMoved(state, "running", "contact is back: goes on")], effects: [] };
  if (state.reason !== "window") return NONE;
  if (state.until === null) return NONE; // no window ever fits
  turn.waitsForWindow = true;
  return state.until <= context.now
    ? { events: [runMoved(state, "running", "a maintenance window is open")], effects: [] }
    : { ...NONE, wakeAt: state.until };
}

/** The waves of a running rollout: open the next, fill its slots, close it. */
function advanceRunning(turn: Turn): Step {
  const { state, context } = turn;
  if (state.wavePhase !== "updating") {
    const checks = state.wavePhase === "soaking" ? soakChecks(state, context) : { effects: [], wakeAt: null };
    const next = advanceWave(state, context);
    return {
      ...next,
      effects: [...checks.effects, ...next.effects],
      wakeAt: earlier(next.wakeAt, checks.wakeAt),
    };
  }
  const wave = state.plan.waves[state.wave - 1];
  if (!wave) return NONE;
  if (!hasAny(state, "open", state.wave)) return advanceWave(state, context);

  // Time without a controller is nobody's lack of progress.
  const progressAt = Math.max(state.progressAt, context.resumedAt);
  const quietMs = Math.max(0, context.now - progressAt);
  if (countIn(state, "open", state.wave) === countIn(state, "staged", state.wave)) {
    const opensAt = windowsOpenAt(state, context.now);
    if (opensAt === null || opensAt > context.now) {
      const msg =
        opensAt === null
          ? `no maintenance window is long enough for ${Math.ceil(estimateMs(state.plan.policy) / 60_000)} min`
          : `everything is staged; the next maintenance window opens at ${iso(opensAt)}`;
      const until = opensAt === null ? {} : { until: iso(opensAt) };
      const why = { reason: "window", detail: msg, quietMs, ...until } as const;
      return { events: [runMoved(state, "paused", msg, why)], effects: [] };
    }
  }
  const deadline = state.plan.policy.progressDeadlineMs + wave.soakMs;
  if (quietMs > deadline) {
    const why = obstacle(state, context);
    const msg = `no host was updated within the progress deadline${why === null ? "" : ` (${why})`}`;
    return { events: [runMoved(state, "paused", msg, { reason: "deadline", detail: msg })], effects: [] };
  }
  const begun = prepare(state, context);
  const step = begun.events.length > 0 ? begun : activate(state, context);
  return { ...step, wakeAt: earlier(earlier(begun.wakeAt, step.wakeAt), progressAt + deadline + 1) };
}

const earlier = (a: number | null | undefined, b: number | null | undefined): number | null =>
  a == null ? (b ?? null) : b == null ? a : Math.min(a, b);
