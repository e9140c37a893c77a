/**
 * The loop around the pure core: decide -> journal -> publish -> evolve -> perform, again. Every event is in the
 * store before anybody sees it and before the effect it announces begins; so resume is replay plus asking the hosts.
 */
import { FleetError } from "../errors.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Lease, Store } from "../store/store.ts";
import { NOWHERE_ELSE } from "./budgets.ts";
import { applyCommand } from "./commands.ts";
import { type Context, decide } from "./decide.ts";
import type { Effect, EffectKind, Outcome } from "./effects.ts";
import type { EventBody, FleetEvent } from "./events.ts";
import { interpret } from "./interpret.ts";
import { type Performer, perform } from "./perform.ts";
import { evolve, type RolloutState, replay } from "./state.ts";
import { summarize } from "./summary.ts";

export interface EngineDeps extends Performer {
  readonly store: Store;
  readonly clock: Clock;
  /** `user@machine:pid`, shown to whoever finds the lease taken. */
  readonly owner: string;
}

export interface EngineSignals {
  /** First ^C: start nothing new; hosts in flight finish or revert. */
  readonly drain: AbortSignal;
  /** Second ^C: leave now; hosts revert themselves. */
  readonly abort: AbortSignal;
}

export const LEASE_TTL_MS = 15_000;
const COMMAND_POLL_MS = 250;

/** Drives a journalled run until it ends, pauses with nothing in flight, or is told to stop. Yields what it appends. */
export async function* drive(
  runId: string,
  deps: EngineDeps,
  signals: EngineSignals,
): AsyncGenerator<FleetEvent, RolloutState, undefined> {
  const { store, clock } = deps;
  const lease = await takeLease(runId, deps);
  const engine = await Engine.load(runId, deps, signals, lease);
  try {
    yield* engine.run();
    return engine.state;
  } finally {
    await engine.stop();
    await store.release(engine.lease).catch(() => undefined);
    void clock;
  }
}

async function takeLease(runId: string, { store, clock, owner }: EngineDeps): Promise<Lease> {
  const key = `run:${runId}`;
  const lease = await store.lease(key, owner, LEASE_TTL_MS, clock.now());
  if (lease) return lease;
  const holder = await store.holder(key, clock.now());
  throw new FleetError("locked", `${runId} is driven by ${holder?.owner ?? "another controller"}`, {
    hint: `watch it with "macula-fleet rollout watch ${runId}"; a dead controller's lease ends by itself within ${LEASE_TTL_MS / 1000} s`,
  });
}

class Engine {
  state: RolloutState;
  lease: Lease;
  readonly #runId: string;
  readonly #deps: EngineDeps;
  readonly #signals: EngineSignals;
  readonly #resumedAt: number;
  readonly #inFlight = new Map<string, EffectKind>();
  readonly #outcomes: Outcome[] = [];
  /** Ends every effect and wait of this engine; its own, so that `stop` needs nobody's permission. */
  readonly #life = new AbortController();
  #wake: () => void = () => undefined;
  #commandsAt = 0;
  #renewAt: number;

  static async load(runId: string, deps: EngineDeps, signals: EngineSignals, lease: Lease): Promise<Engine> {
    const state = replay(await deps.store.events(runId));
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
    this.#renewAt = this.#resumedAt + LEASE_TTL_MS / 3;
    const wake = () => this.#wake();
    signals.drain.addEventListener("abort", wake);
    signals.abort.addEventListener("abort", () => {
      this.#life.abort(signals.abort.reason);
      wake();
    });
  }

  async *run(): AsyncGenerator<FleetEvent, void, undefined> {
    while (true) {
      this.#signals.abort.throwIfAborted();
      await this.#renew();
      yield* await this.#commands();
      let outcome = this.#outcomes.shift();
      while (outcome) {
        this.#inFlight.delete(outcome.effect.host);
        yield* await this.#take(interpret(this.state, outcome, this.#context()));
        outcome = this.#outcomes.shift();
      }
      const verdict = decide(this.state, this.#context());
      yield* await this.#take(verdict);
      if (verdict.idle) break;
      if (verdict.events.length === 0) await this.#pause(verdict.wakeAt);
    }
    yield* await this.#append([summarize(this.state, this.#signals.drain.aborted)]);
  }

  async stop(): Promise<void> {
    this.#life.abort(new FleetError("interrupted", "the controller stopped"));
  }

  #context(): Context {
    return {
      now: this.#deps.clock.now(),
      inFlight: this.#inFlight,
      draining: this.#signals.drain.aborted,
      fence: this.lease.fence,
      resumedAt: this.#resumedAt,
      elsewhere: NOWHERE_ELSE,
    };
  }

  /** Journal, then believe, then act. */
  async #take(decision: {
    readonly events: readonly EventBody[];
    readonly effects: readonly Effect[];
  }): Promise<readonly FleetEvent[]> {
    const events = await this.#append(decision.events);
    for (const effect of decision.effects) this.#begin(effect);
    return events;
  }

  async #append(bodies: readonly EventBody[]): Promise<readonly FleetEvent[]> {
    if (bodies.length === 0) return [];
    const { store, clock } = this.#deps;
    const run = bodies.findLast((b) => b.type === "rollout.state");
    const events = await store.append(this.#runId, this.state.lastSeq, bodies, {
      now: clock.now(),
      fence: this.lease.fence,
      ...(run?.type === "rollout.state" ? { state: run.data.to } : {}),
    });
    for (const event of events) this.state = evolve(this.state, event);
    return events;
  }

  #begin(effect: Effect): void {
    if (this.#inFlight.has(effect.host)) return;
    this.#inFlight.set(effect.host, effect.kind);
    perform(this.#deps, this.state, effect, this.lease.fence, this.#life.signal).then(
      (outcome) => {
        this.#outcomes.push(outcome);
        this.#wake();
      },
      () => this.#wake(), // aborted: nobody waits for it any more
    );
  }

  /** Until an outcome, a command's turn, the lease's renewal, a deadline or a signal. */
  async #pause(wakeAt: number | null): Promise<void> {
    if (this.#outcomes.length > 0) return;
    const { clock } = this.#deps;
    const until = Math.min(wakeAt ?? Infinity, clock.now() + COMMAND_POLL_MS, this.#renewAt);
    const timer = new AbortController();
    await Promise.race([
      new Promise<void>((resolve) => {
        this.#wake = resolve;
      }),
      clock
        .sleep(Math.max(0, until - clock.now()), AbortSignal.any([timer.signal, this.#life.signal]))
        .catch(() => undefined),
    ]);
    timer.abort();
  }

  async #renew(): Promise<void> {
    const { clock, store } = this.#deps;
    if (clock.now() < this.#renewAt) return;
    this.lease = await store.renew(this.lease, LEASE_TTL_MS, clock.now());
    this.#renewAt = clock.now() + LEASE_TTL_MS / 3;
  }

  async #commands(): Promise<readonly FleetEvent[]> {
    const { clock, store } = this.#deps;
    if (clock.now() < this.#commandsAt) return [];
    this.#commandsAt = clock.now() + COMMAND_POLL_MS;
    const words = await store.pending(this.#runId);
    const events: FleetEvent[] = [];
    for (const word of words) {
      const reply = applyCommand(this.state, word);
      const bodies: readonly EventBody[] =
        reply.kind === "applied"
          ? reply.events
          : [
              {
                type: "diagnostic",
                level: reply.kind === "refused" ? "warn" : "info",
                msg: reply.note,
                data: { code: `command-${reply.kind}` },
              },
            ];
      events.push(...(await this.#append(bodies)));
      await store.acknowledge(this.#runId, [word.id]);
    }
    return events;
  }
}
