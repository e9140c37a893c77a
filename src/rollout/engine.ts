/**
 * The loop around the pure core: decide -> journal -> publish -> evolve -> perform, again. Every event is in the
 * store before anybody sees it and before the effect it announces begins; so resume is replay plus asking the hosts.
 */
import { FleetError } from "../errors.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Lease, PendingCommand, Store } from "../store/store.ts";
import { takenBy } from "./begin.ts";
import { runMoved } from "./bodies.ts";
import { applyCommand, eventsOf } from "./commands.ts";
import type { Context } from "./context.ts";
import { decide } from "./decide.ts";
import type { Decision, Effect, EffectKind, Outcome } from "./effects.ts";
import { type EventBody, type FleetEvent, TERMINAL_STATES } from "./events.ts";
import { giveBack } from "./guarded.ts";
import { interpret } from "./interpret.ts";
import { Neighbours } from "./neighbours.ts";
import { type Performer, perform } from "./perform.ts";
import { remembered } from "./remember.ts";
import { RULES, type Rules } from "./rules.ts";
import { LEASE_TTL_MS, takeLease } from "./run-lease.ts";
import { evolve, type RolloutState, replay } from "./state.ts";
import { patiently } from "./store-patience.ts";
import { summarize } from "./summary.ts";
import { lateWordMs } from "./timing.ts";

export interface EngineDeps extends Performer {
  readonly store: Store;
  readonly clock: Clock;
  /** `user@machine:pid`, shown to whoever finds the lease taken. */
  readonly owner: string;
  /** Between two looks for operators' commands, ms; default 250. */
  readonly commandPollMs?: number;
  /** Only simulations replace rules. */
  readonly rules?: Rules;
}

export interface EngineSignals {
  /** First ^C: start nothing new; hosts in flight finish or revert. */
  readonly drain: AbortSignal;
  /** Second ^C: leave now; hosts revert themselves. */
  readonly abort: AbortSignal;
}

const COMMAND_POLL_MS = 250;
const NEIGHBOUR_POLL_MS = 2_000;
const WOKEN = new FleetError("interrupted", "woken before its time");

/** Drives a journalled run until it ends, pauses with nothing in flight, or is told to stop. Yields what it appends. */
export async function* drive(
  runId: string,
  deps: EngineDeps,
  signals: EngineSignals,
): AsyncGenerator<FleetEvent, RolloutState, undefined> {
  const { store, clock } = deps;
  const lease = await patiently(clock, signals.abort, () => takeLease(runId, deps));
  const engine = await Engine.load(runId, deps, signals, lease);
  try {
    yield* engine.run();
    return engine.state;
  } finally {
    engine.stop();
    await store.release(engine.lease).catch(() => undefined);
  }
}

/** An outcome and when it came in. */
interface Arrived {
  readonly outcome: Outcome;
  readonly at: number;
}

/** What a guard saw counts for this long; then, after a wait for the store for example, it is asked again. */
const GUARD_FRESH_MS = 10_000;

class Engine {
  state: RolloutState;
  lease: Lease;
  readonly #runId: string;
  readonly #deps: EngineDeps;
  readonly #signals: EngineSignals;
  readonly #resumedAt: number;
  readonly #resumedSeq: number;
  readonly #inFlight = new Map<string, EffectKind>();
  readonly #outcomes: Arrived[] = [];
  readonly #neighbours: Neighbours;
  /** Ends every effect and wait of this engine; its own, so that `stop` needs nobody's permission. */
  readonly #life = new AbortController();
  #wake: () => void = () => undefined;
  #commandsAt = 0;
  #neighboursAt = 0;
  #renewAt: number;

  static async load(runId: string, deps: EngineDeps, signals: EngineSignals, lease: Lease): Promise<Engine> {
    const state = replay(await patiently(deps.clock, signals.abort, () => deps.store.events(runId)));
    if (!state)
      throw new FleetError("rollout-not-found", `there is no run ${runId}`, {
        hint: "macula-fleet rollout history",
      });
    return new Engine(runId, deps, signals, lease, state);
  }

  private constructor(
    runId: string,
    deps: EngineDeps,
    signals: EngineSignals,
    lease: Lease,
    state: RolloutState,
  ) {
    this.#runId = runId;
    this.#deps = deps;
    this.#signals = signals;
    this.state = state;
    this.lease = lease;
    this.#resumedAt = deps.clock.now();
    this.#resumedSeq = state.lastSeq;
    this.#renewAt = this.#resumedAt + LEASE_TTL_MS / 3;
    this.#neighbours = new Neighbours(deps.store, runId, deps);
    signals.drain.addEventListener("abort", this.#drained);
    signals.abort.addEventListener("abort", this.#leave);
  }

  readonly #drained = (): void => this.#wake();

  readonly #leave = (): void => {
    this.#life.abort(this.#signals.abort.reason);
    this.#wake();
  };

  async *run(): AsyncGenerator<FleetEvent, void, undefined> {
    if (this.state.status === "planned") yield* await this.#yieldHosts();
    while (true) {
      this.#signals.abort.throwIfAborted();
      await this.#renew();
      yield* await this.#commands();
      await this.#lookAround();
      yield* await this.#settleOutcomes();
      const verdict = decide(this.state, this.#context());
      yield* await this.#take(verdict);
      if (verdict.idle) {
        // A word that came in while the run was about to stop is not left lying.
        const late = await this.#commands(true);
        yield* late;
        if (late.length === 0) break;
      } else if (verdict.events.length === 0) await this.#pause(verdict.wakeAt);
    }
    if (!this.state.summarized)
      yield* await this.#append([summarize(this.state, this.#signals.drain.aborted)]);
  }

  stop(): void {
    this.#signals.drain.removeEventListener("abort", this.#drained);
    this.#signals.abort.removeEventListener("abort", this.#leave);
    this.#life.abort(new FleetError("interrupted", "the controller stopped"));
  }

  #context(): Context {
    return {
      now: this.#deps.clock.now(),
      inFlight: this.#inFlight,
      draining: this.#signals.drain.aborted,
      fence: this.lease.fence,
      resumedAt: this.#resumedAt,
      resumedSeq: this.#resumedSeq,
      elsewhere: this.#neighbours.elsewhere,
      rules: this.#deps.rules ?? RULES,
    };
  }

  async #settleOutcomes(): Promise<readonly FleetEvent[]> {
    const events: FleetEvent[] = [];
    let arrived = this.#outcomes.shift();
    while (arrived) {
      this.#inFlight.delete(arrived.outcome.effect.host);
      events.push(...(await this.#settle(arrived)));
      arrived = this.#outcomes.shift();
    }
    return events;
  }

  /**
   * A slot is claimed in the journal, then looked at again: of two rollouts that claim the last one at the same
   * moment at least one sees the other and gives it back, before anything has begun. No clock is trusted for that.
   */
  async #settle({ outcome, at }: Arrived): Promise<readonly FleetEvent[]> {
    if (outcome.effect.kind !== "guard") return this.#take(interpret(this.state, outcome, this.#context()));
    const before = this.state;
    const stale = () => Math.abs(this.#deps.clock.now() - at) > GUARD_FRESH_MS;
    await this.#patiently(() => this.#neighbours.refresh());
    if (stale()) return [];
    const claim = interpret(before, outcome, this.#context());
    if (claim.effects.length === 0) return this.#take(claim);
    const events = await this.#append(claim.events);
    await this.#patiently(() => this.#neighbours.refresh());
    if (stale() || interpret(before, outcome, this.#context()).effects.length === 0)
      return [...events, ...(await this.#append(giveBack(this.state, outcome.effect.host, this.#context())))];
    for (const effect of claim.effects) this.#begin(effect);
    return events;
  }

  async #lookAround(): Promise<void> {
    const now = this.#deps.clock.now();
    const active = this.state.status === "running" || this.state.status === "rolling_back";
    if (!active) return;
    const lateMs = lateWordMs(this.state.plan.policy);
    this.#neighbours.leftovers.look(now, lateMs, this.#life.signal, () => this.#wake());
    if (now < this.#neighboursAt && this.#neighboursAt - now <= NEIGHBOUR_POLL_MS) return;
    this.#neighboursAt = now + NEIGHBOUR_POLL_MS;
    await this.#patiently(() => this.#neighbours.refresh());
  }

  /** Journal, then believe, then act. */
  async #take(decision: Decision): Promise<readonly FleetEvent[]> {
    const events = await this.#append(decision.events);
    for (const effect of decision.effects) this.#begin(effect);
    return events;
  }

  async #append(
    bodies: readonly EventBody[],
    acknowledge: readonly number[] = [],
  ): Promise<readonly FleetEvent[]> {
    if (bodies.length === 0) return [];
    const { store, clock } = this.#deps;
    const now = clock.now(); // fixed: a repeated append must be the very same one
    const options = { now, fence: this.lease.fence, acknowledge };
    const { rules } = this.#deps;
    const hosts = await this.#patiently(() => remembered(store, this.state, bodies, now, rules));
    const events = await this.#patiently(() =>
      store.append(this.#runId, this.state.lastSeq, bodies, { ...options, hosts }),
    );
    for (const event of events) this.state = evolve(this.state, event);
    return events;
  }

  #patiently<T>(work: () => Promise<T>): Promise<T> {
    return patiently(this.#deps.clock, this.#life.signal, work);
  }

  #begin(effect: Effect): void {
    if (this.#inFlight.has(effect.host)) return;
    this.#inFlight.set(effect.host, effect.kind);
    perform(this.#deps, this.state, effect, this.lease.fence, this.#life.signal).then(
      (outcome) => {
        this.#outcomes.push({ outcome, at: this.#deps.clock.now() });
        this.#wake();
      },
      () => this.#wake(), // aborted: nobody waits for it any more
    );
  }

  /** Until an outcome, a command's turn, the lease's renewal, a deadline or a signal. */
  async #pause(wakeAt: number | null): Promise<void> {
    if (this.#outcomes.length > 0 || this.#life.signal.aborted) return;
    const { clock } = this.#deps;
    const now = clock.now();
    const until = Math.min(wakeAt ?? Infinity, this.#commandsAt, this.#renewAt, now + LEASE_TTL_MS / 3);
    const timer = new AbortController();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      clock.sleep(Math.max(1, until - now), timer.signal).then(resolve, resolve);
    });
    timer.abort(WOKEN);
  }

  async #renew(): Promise<void> {
    const { clock, store } = this.#deps;
    const now = clock.now();
    if (now < this.#renewAt && this.#renewAt - now <= LEASE_TTL_MS) return;
    this.lease = await this.#patiently(() => store.renew(this.lease, LEASE_TTL_MS, clock.now()));
    this.#renewAt = clock.now() + LEASE_TTL_MS / 3;
  }

  async #commands(now = false): Promise<readonly FleetEvent[]> {
    const { clock, store, commandPollMs = COMMAND_POLL_MS } = this.#deps;
    const early = this.#commandsAt - clock.now();
    if (!now && early > 0 && early <= commandPollMs) return [];
    this.#commandsAt = clock.now() + commandPollMs;
    const events: FleetEvent[] = [];
    for (const word of await this.#patiently(() => store.pending(this.#runId)))
      events.push(...(await this.#obey(word)));
    return events;
  }

  async #obey(word: PendingCommand): Promise<readonly FleetEvent[]> {
    const reply = applyCommand(this.state, word, this.#deps.rules);
    const again = reply.kind === "applied" && TERMINAL_STATES.has(this.state.status);
    const taken = again ? await this.#taken() : null;
    const note = `cannot ${word.command}: ${taken}`;
    const said = taken === null ? reply : ({ kind: "refused", note } as const);
    const events = await this.#append(eventsOf(said), [word.id]);
    return again && taken === null ? [...events, ...(await this.#yieldHosts())] : events;
  }

  #taken(): Promise<string | null> {
    return this.#patiently(() => takenBy(this.#deps.store, this.state.plan, this.#deps.rules));
  }

  /** It has said in the journal that it begins, or goes on after its end: of two that did so at once, one sees the other. */
  async #yieldHosts(): Promise<readonly FleetEvent[]> {
    const taken = await this.#taken();
    if (taken === null) return [];
    return this.#append([runMoved(this.state, "aborted", `${taken}; nothing was begun`)]);
  }
}
