/**
 * The whole rollout policy: given what happened, what happens next. Pure; called again after every event and
 * every outcome, so it never needs to remember. Reading order: `decide`, then `advance` (the waves), then
 * `attend` (one host).
 */
import type { PlannedHost } from "../plan/model.ts";
import { fits, windowState } from "../plan/windows.ts";
import { attend } from "./attend.ts";
import { moved, runMoved } from "./bodies.ts";
import { blockedBy, type Elsewhere, failureVerdict } from "./budgets.ts";
import { isAtRisk, isPreparing, isSettled } from "./classes.ts";
import type { Decision, Effect, EffectKind } from "./effects.ts";
import type { EventBody } from "./events.ts";
import { TERMINAL_STATES } from "./events.ts";
import { advanceWave, soakChecks } from "./progress.ts";
import type { RolloutState } from "./state.ts";

export interface Context {
  readonly now: number;
  /** Effects under way, by host: never two on one host. */
  readonly inFlight: ReadonlyMap<string, EffectKind>;
  /** First ^C: start nothing new, see what runs to its end. */
  readonly draining: boolean;
  readonly fence: number;
  /** When this controller took over: hosts not seen since are asked before anything else. */
  readonly resumedAt: number;
  readonly elsewhere: Elsewhere;
}

export interface Verdict extends Decision {
  /** Nothing left to do for this controller: ended, paused with nothing in flight, or drained. */
  readonly idle: boolean;
  /** Look again at this time at the latest, ms since the epoch. */
  readonly wakeAt: number | null;
}

export function decide(state: RolloutState, context: Context): Verdict {
  if (TERMINAL_STATES.has(state.status)) return { events: [], effects: [], idle: true, wakeAt: null };
  if (state.status === "planned" || state.status === "queued") {
    return {
      events: [runMoved(state, "running", "rollout started")],
      effects: [],
      idle: false,
      wakeAt: null,
    };
  }
  const turn = new Turn(state, context);
  const running = state.status === "running" && !context.draining;

  for (const host of state.hosts.values()) {
    if (isAtRisk(host) || (running && isPreparing(host)) || needsEvidence(turn, host.name))
      turn.take(attend(state, host, context));
  }
  if (running) {
    turn.take(stopOnFailures(turn));
    if (turn.events.length === 0) turn.take(advance(turn));
  } else if (state.status === "baking") {
    turn.take(soakChecks(state, context));
    turn.take(advanceWave(state, context));
  } else if (state.status === "aborting" && !turn.busy) {
    turn.take({ events: [runMoved(state, "aborted", "aborted; nothing is in flight")], effects: [] });
  } else if (state.status === "rolling_back") {
    turn.take(rollBack(turn));
  }
  const waiting = state.status === "paused" || context.draining;
  return {
    events: turn.events,
    effects: turn.effects,
    idle: waiting && !turn.busy && turn.events.length === 0 && turn.effects.length === 0,
    wakeAt: turn.wakeAt,
  };
}

/** Collects one decision; knows what is under way. */
export class Turn {
  readonly events: EventBody[] = [];
  readonly effects: Effect[] = [];
  readonly index: ReadonlyMap<string, PlannedHost>;
  readonly state: RolloutState;
  readonly context: Context;
  wakeAt: number | null = null;

  constructor(state: RolloutState, context: Context) {
    this.state = state;
    this.context = context;
    this.index = new Map(state.plan.hosts.map((h) => [h.name, h]));
  }

  take(decision: Decision & { readonly wakeAt?: number | null }): void {
    this.events.push(...decision.events);
    for (const effect of decision.effects) {
      if (!this.context.inFlight.has(effect.host) && !this.effects.some((e) => e.host === effect.host))
        this.effects.push(effect);
    }
    if (decision.wakeAt != null) this.wakeAt = Math.min(this.wakeAt ?? Infinity, decision.wakeAt);
  }

  /** Is any host at risk or any effect under way? */
  get busy(): boolean {
    return this.context.inFlight.size > 0 || [...this.state.hosts.values()].some(isAtRisk);
  }
}

function needsEvidence(turn: Turn, name: string): boolean {
  const host = turn.state.hosts.get(name);
  return (
    host !== undefined &&
    (host.state === "reverted" || host.state === "failed") &&
    host.previous !== null &&
    host.evidence === null
  );
}

function stopOnFailures(turn: Turn): Decision {
  const { state } = turn;
  const verdict = failureVerdict(state, turn.index);
  if (!verdict || state.plan.policy.onFailure === "continue") return { events: [], effects: [] };
  const msg = `${verdict.failed} failed in ${verdict.where}, ${verdict.allowed} tolerated`;
  const rollback = state.plan.policy.onFailure === "rollback";
  return {
    events: [
      rollback
        ? runMoved(state, "rolling_back", `${msg}: every updated host goes back`, "failures", msg)
        : runMoved(state, "paused", `${msg}: nothing new is started`, "failures", msg),
    ],
    effects: [],
  };
}

/** The waves of a running rollout: open the next, fill its slots, close it. */
function advance(turn: Turn): Decision & { wakeAt?: number | null } {
  const { state, context } = turn;
  if (state.wavePhase !== "updating") {
    const checks = state.wavePhase === "soaking" ? soakChecks(state, context) : NO_CHECKS;
    const next = advanceWave(state, context);
    return {
      ...next,
      effects: [...checks.effects, ...next.effects],
      wakeAt: earlier(next.wakeAt, checks.wakeAt),
    };
  }
  const wave = state.plan.waves[state.wave - 1];
  if (!wave) return { events: [], effects: [] };
  const hosts = wave.hosts.flatMap((name) => state.hosts.get(name) ?? []);
  if (hosts.every(isSettled)) return advanceWave(state, context);

  const stalled = context.now - state.progressAt > state.plan.policy.progressDeadlineMs + wave.soakMs;
  if (stalled) {
    return {
      events: [runMoved(state, "paused", "no host was updated within the progress deadline", "deadline")],
      effects: [],
    };
  }
  const begun = prepare(
    turn,
    hosts.map((h) => h.name),
  );
  return begun.events.length > 0
    ? begun
    : activate(
        turn,
        hosts.map((h) => h.name),
      );
}

const NO_CHECKS = { effects: [] as readonly Effect[], wakeAt: null };

const earlier = (a: number | null | undefined, b: number | null | undefined): number | null =>
  a == null ? (b ?? null) : b == null ? a : Math.min(a, b);

/** Looking at hosts and copying to them is harmless: as many as the copy limits allow, ahead of their activation. */
function prepare(turn: Turn, names: readonly string[]): Decision {
  const { state, index } = turn;
  const { copying, copyingPerSite } = state.plan.limits;
  const preparing = [...state.hosts.values()].filter(isPreparing);
  let room = copying - preparing.length;
  const perSite = new Map<string, number>();
  for (const h of preparing) count(perSite, index.get(h.name)?.site);
  const events: EventBody[] = [];
  for (const name of names) {
    const host = state.hosts.get(name);
    const site = index.get(name)?.site;
    if (room <= 0 || host?.state !== "pending" || turn.context.inFlight.has(name)) continue;
    if (site && (perSite.get(site) ?? 0) >= copyingPerSite) continue;
    events.push(moved(state, host, "preflight", "looking at the host"));
    count(perSite, site);
    room--;
  }
  return { events, effects: [] };
}

function count(map: Map<string, number>, key: string | null | undefined): void {
  if (key) map.set(key, (map.get(key) ?? 0) + 1);
}

/** Sliding slots: a staged host is activated as soon as every budget has room for it. */
function activate(turn: Turn, names: readonly string[]): Decision & { wakeAt?: number | null } {
  const { state, context, index } = turn;
  const effects: Effect[] = [];
  const events: EventBody[] = [];
  // Guards under way hold their host's slot.
  const starting = new Set(
    [...context.inFlight].filter(([, kind]) => kind === "guard").map(([name]) => name),
  );
  let wakeAt: number | null = null;
  for (const name of names) {
    const host = state.hosts.get(name);
    const target = index.get(name);
    if (host?.state !== "staged" || !target || context.inFlight.has(name)) continue;
    const now = context.now;
    if (!fits(target.windows, now, estimateMs(state))) {
      const next = windowState(target.windows, now);
      wakeAt = earlier(wakeAt, next.changesAt);
      continue;
    }
    if (blockedBy(state, index, target, starting, context.elsewhere) !== null) continue;
    starting.add(name);
    effects.push({ kind: "guard", host: name });
  }
  return { events, effects, wakeAt };
}

/** A cautious guess of activation, proof and commit, so that a window is not started into too late. */
function estimateMs(state: RolloutState): number {
  return state.plan.policy.minHealthyTimeMs + state.plan.policy.confirmTimeoutMs;
}

/** `--on-failure rollback`: every updated host goes back, under the same limits. */
function rollBack(turn: Turn): Decision {
  const { state, context, index } = turn;
  const updated = [...state.hosts.values()].filter((h) => h.state === "updated" && h.previous !== null);
  if (updated.length === 0 && !turn.busy) {
    const broken = [...state.hosts.values()].some((h) => h.state === "failed");
    return {
      events: [
        broken
          ? runMoved(state, "rollback_failed", "not every host could go back")
          : runMoved(state, "rolled_back", "every updated host is back on its old system"),
      ],
      effects: [],
    };
  }
  const busy = [...state.hosts.values()].filter(isAtRisk).length;
  const next = updated.find((h) => {
    const target = index.get(h.name);
    return (
      target &&
      busy < Math.max(1, state.plan.limits.maxParallel) &&
      !context.inFlight.has(h.name) &&
      (target.role === "peer" || busy === 0)
    );
  });
  return next
    ? {
        events: [
          moved(state, next, "reverting", "goes back to its old system", {
            failure: { code: "health-failed", message: "rolled back with the rollout", transient: false },
          }),
        ],
        effects: [],
      }
    : { events: [], effects: [] };
}
