/** The promises that journals alone can break: who drives whom, gates, windows, retries, undos. Reads along as they are written. */
import type { Plan } from "../plan/model.ts";
import { estimateMs, fits } from "../plan/windows.ts";
import { type EventOf, type FleetEvent, TERMINAL_STATES } from "../rollout/events.ts";
import { NOT_NOW } from "../rollout/host-progress.ts";
import { evolve, type RolloutState } from "../rollout/state.ts";
import type { Counter } from "./counts.ts";
import { SoakWatch } from "./watch-soaks.ts";

type HostMove = EventOf<"host.state">;

export class JournalWatch {
  readonly #states = new Map<string, RolloutState>();
  /** Gates an operator's word has passed, by run. */
  readonly #promoted = new Map<string, number>();
  readonly #furthest = new Map<string, number>();
  /** `host run`, in the order in which runs last moved a host. */
  readonly #lastMoves = new Set<string>();
  readonly #soaks: SoakWatch;
  readonly #violate: (what: string) => void;
  readonly #counter: Counter;

  constructor(violate: (what: string) => void, counter: Counter) {
    this.#violate = violate;
    this.#counter = counter;
    this.#soaks = new SoakWatch(violate);
  }

  /** In the order they were begun. */
  get states(): readonly RolloutState[] {
    return [...this.#states.values()];
  }

  get unfinished(): readonly RolloutState[] {
    return this.states.filter((s) => !TERMINAL_STATES.has(s.status));
  }

  /** A run that is tried again after its end comes after those that began meanwhile, but only for the hosts it moves. */
  inOrder = (host: string, runs: readonly RolloutState[]): readonly RolloutState[] => {
    const order = [...this.#lastMoves];
    const place = ({ plan }: RolloutState) => order.indexOf(`${host} ${plan.id}`);
    return runs.toSorted((a, b) => place(a) - place(b));
  };

  /** Did this run ever move this host? One that it only left out, or has not come to, it has no word on. */
  hasMoved = (host: string, run: string): boolean => this.#lastMoves.has(`${host} ${run}`);

  stateOf(run: string): RolloutState | undefined {
    return this.#states.get(run);
  }

  readonly read = (run: string, events: readonly FleetEvent[]): void => {
    const retry = events.find((e) => e.type === "rollout.command" && e.data.command === "retry");
    if (retry?.type === "rollout.command" && retry.data.hosts !== undefined) {
      this.#counter.add("namedRetries");
      this.#onlyNamed(run, new Set(retry.data.hosts), events);
    }
    for (const event of events) {
      const before = this.#states.get(run) ?? null;
      if (before) this.#goesOn(before, event);
      if (before) this.#soaks.read(before, event);
      if (event.type === "host.state" && event.data.from !== event.data.to) this.#moved(run, event);
      this.#states.set(run, evolve(before, event));
    }
  };

  #moved(run: string, { host }: HostMove): void {
    const key = `${host} ${run}`;
    this.#lastMoves.delete(key);
    this.#lastMoves.add(key);
  }

  /** Not when it is written down: one whose run goes on again meanwhile yields before it begins. */
  #undoes(plan: Plan): void {
    if (plan.reverts === undefined) return;
    this.#counter.add("undone");
    const reverted = this.#states.get(plan.reverts);
    if (!reverted || !TERMINAL_STATES.has(reverted.status))
      this.#violate(`${plan.id} undoes ${plan.reverts}, which has not ended`);
    for (const { name, from, to } of plan.hosts) {
      const host = reverted?.hosts.get(name);
      const was = reverted?.targets.get(name)?.to;
      // Also one that stopped answering once it had committed, or that was found so when it was tried again.
      if (host?.committed !== true || host.previous !== to || was !== from)
        this.#violate(`${plan.id} undoes ${plan.reverts}: ${name} ${from} -> ${to} is not what it did there`);
    }
  }

  /** No other run that has begun may have this host until it is over. */
  #alone(run: string, host: string): void {
    for (const { plan, status, targets } of this.unfinished)
      if (plan.id !== run && status !== "planned" && targets.has(host))
        this.#violate(`${run} and ${plan.id} drive ${host} at the same time`);
  }

  #goesOn(state: RolloutState, event: FleetEvent): void {
    switch (event.type) {
      case "rollout.state":
        if (event.data.to === "superseded") this.#counter.add("superseded");
        if (event.data.reason === "window") this.#counter.add("waitsForWindows");
        if (TERMINAL_STATES.has(state.status) && !TERMINAL_STATES.has(event.data.to))
          this.#counter.add("reopened");
        return;
      case "rollout.command": {
        const { command, full, toWave } = event.data;
        if (command !== "promote") return;
        if (full === true || toWave !== undefined) this.#counter.add("promotions");
        const to = full ? Infinity : (toWave ?? state.wave + 1) - 1;
        this.#promoted.set(state.plan.id, Math.max(to, this.#promoted.get(state.plan.id) ?? 0));
        return;
      }
      case "wave.start":
        if (state.wave === 0) this.#undoes(state.plan);
        this.#mayBegin(state, event.wave ?? 0);
        return;
      case "host.state":
        this.#moves(state, event);
        return;
      default:
    }
  }

  #mayBegin(state: RolloutState, wave: number): void {
    const { id, policy } = state.plan;
    const furthest = this.#furthest.get(id) ?? 0;
    if (wave <= furthest) return; // Again, for hosts that are retried.
    this.#furthest.set(id, wave);
    const proved = [...state.hosts.values()].some((h) => h.wave === furthest && h.state === "updated");
    if (policy.promote === "manual" && proved && (this.#promoted.get(id) ?? 0) < furthest)
      this.#violate(`${id} went on to wave ${wave}, and nobody promoted it past wave ${furthest}`);
  }

  #moves({ plan, targets, hosts }: RolloutState, { host = "", ts, data }: HostMove): void {
    const { failure, retryAt = null } = hosts.get(host) ?? {};
    const early = data.to === "activating" && failure?.code === NOT_NOW && Date.parse(ts) < (retryAt ?? 0);
    if (early) this.#violate(`${host} of ${plan.id} was asked again before the time its owner gave`);
    if (data.to !== "pending") this.#alone(plan.id, host);
    const { windows = [] } = targets.get(host) ?? {};
    const need = estimateMs(plan.policy);
    // By the controller's own clock: whether that is right it cannot know.
    if (data.from === "staged" && data.to === "activating" && !fits(windows, Date.parse(ts), need))
      this.#violate(`${host} of ${plan.id} was begun, and ${need} ms do not fit into its window`);
    if (data.failure?.code === NOT_NOW) this.#notNow(plan.id, host, data);
    const refused = data.failure?.code === "host-held";
    if (data.to === "deferred" && (refused || data.failure === undefined)) this.#counter.add("refusals");
    if (refused && data.to !== "deferred")
      this.#violate(`${host} refused ${plan.id}, and was not left alone but ${data.to}`);
  }

  /** Whoever is not consented to waits, or is left for later: it neither fails nor stays in anybody's way. */
  #notNow(run: string, host: string, { from, to }: HostMove["data"]): void {
    this.#counter.add(to === "deferred" ? "ownersDeferred" : "ownersWaitedFor");
    if (from !== "activating" || (to !== "staged" && to !== "deferred"))
      this.#violate(`${host} of ${run}: its owner did not consent, and it went from ${from} to ${to}`);
  }

  #onlyNamed(run: string, named: ReadonlySet<string>, events: readonly FleetEvent[]): void {
    for (const { host = "", attempt = 0, type } of events) {
      const again = type === "host.state" && attempt > (this.#states.get(run)?.hosts.get(host)?.attempt ?? 0);
      if (again && !named.has(host)) this.#violate(`${host} of ${run} was tried again, and was not named`);
    }
  }
}
