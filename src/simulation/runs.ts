/** The controllers of a simulation: who drives which run, how they die, and who wakes another one up. */
import { FleetError } from "../errors.ts";
import { drive, type EngineDeps } from "../rollout/engine.ts";
import type { FleetEvent } from "../rollout/events.ts";
import { type RolloutState, replay } from "../rollout/state.ts";
import { Controller } from "./controller.ts";
import type { JournalStore } from "./journal-store.ts";
import { createModelDriver } from "./model-driver.ts";
import { createModelStore } from "./model-store.ts";
import { answer, isOver } from "./operator.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { SimulationOptions } from "./simulate.ts";
import { judgeJournal } from "./verdict.ts";
import type { Watch } from "./watch.ts";
import type { LinkModel, World } from "./world.ts";

const MAX_DEATHS = 12;
const CALM: LinkModel = { latencyMs: 80, cutBefore: 0, cutAfter: 0, hangs: 0 };
/** After the last misfortune, ms. */
const CALM_AFTER_MS = 120_000;

export interface Stage {
  readonly scenario: Scenario;
  readonly world: World;
  readonly watch: Watch;
  readonly shared: JournalStore;
  readonly random: Random;
  readonly options: SimulationOptions;
  readonly trace: (line: string) => void;
}

export class Runs {
  born = 0;
  readonly #stage: Stage;
  readonly #ids: string[] = [];
  readonly #alive = new Set<Controller>();
  readonly #over = new Set<string>();
  readonly #answers = new Map<string, number>();
  #deaths = 0;
  #awayUntil = 0;
  /** Told whenever a controller has come to its end with a run. */
  ended: (state: RolloutState) => void = () => undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get ids(): readonly string[] {
    return this.#ids;
  }

  get open(): readonly string[] {
    return this.#ids.filter((id) => !this.#over.has(id));
  }

  get controllers(): readonly Controller[] {
    return [...this.#alive].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A journal that was begun: from now on somebody looks after it. */
  add(run: string): void {
    this.#ids.push(run);
  }

  isOver(run: string): boolean {
    return this.#over.has(run);
  }

  isDriven(run: string): boolean {
    return [...this.#alive].some((c) => c.run === run);
  }

  close(run: string): void {
    this.#over.add(run);
  }

  reopen(run: string): void {
    this.#over.delete(run);
  }

  storeAway(ms: number): void {
    const { scheduler } = this.#stage.world;
    this.#awayUntil = Math.max(this.#awayUntil, scheduler.now + ms);
  }

  readonly die = (c: Controller): void => {
    if (c.dead || this.#deaths >= MAX_DEATHS) return;
    this.#deaths++;
    c.dead = true;
    this.#alive.delete(c);
    this.#stage.trace(`${c.name} dies`);
    c.died();
    this.wakeUp(c.run, this.#stage.random.int(1, 90) * 1000);
  };

  /** After `ms` somebody looks at the run and starts a controller, unless one is there. */
  wakeUp(run: string, ms: number): void {
    const { world, shared, random, trace } = this.#stage;
    const nobodyNeeded = () => !this.#ids.includes(run) || this.#over.has(run) || this.isDriven(run);
    world.scheduler.after(ms, () => {
      if (nobodyNeeded()) return;
      void (async () => {
        const state = replay(await shared.events(run));
        const driven = await shared.holder(`run:${run}`, world.scheduler.now);
        if (state?.status === "paused" && !driven) {
          const n = (this.#answers.get(run) ?? 0) + 1;
          this.#answers.set(run, n);
          const word = answer(state, n, random);
          trace(`operator says ${word.command}`);
          await shared.submit(run, word);
        }
        this.start(run);
      })();
    });
  }

  start(run: string): void {
    const { random, trace } = this.#stage;
    const c = this.person("c", run, random);
    if (this.isDriven(run)) this.#stage.watch.counter.add("rivals");
    this.#alive.add(c);
    trace(`${c.name} starts ${run}, clock off by ${c.offset / 1000} s`);
    void this.#live(c);
  }

  /** A process of its own: it can die, freeze, and have a wrong clock. */
  person(kind: string, run: string, random: Random): Controller {
    const { scenario, world } = this.#stage;
    const offset = scenario.clocksLie ? random.int(-300, 300) * 1000 : 0;
    return new Controller(`${kind}${++this.born}`, run, world.scheduler, random, offset);
  }

  deps(c: Controller): EngineDeps {
    const { scenario, world, watch, shared, random, options } = this.#stage;
    const { scheduler, siteOf } = world;
    const calm = () => scheduler.now > scenario.start + scenario.troubleMs + CALM_AFTER_MS;
    const { dieBefore, dieAfter, answerLost } = scenario;
    return {
      store: createModelStore(shared, c, {
        away: () => scheduler.now < this.#awayUntil,
        fate: () => {
          if (this.#deaths >= MAX_DEATHS) return "ok";
          const roll = random.next();
          if (roll < dieBefore) return "die-before";
          if (roll < dieBefore + dieAfter) return "die-after";
          return roll < dieBefore + dieAfter + answerLost ? "answer-lost" : "ok";
        },
        die: this.die,
      }),
      clock: c.clock,
      owner: c.name,
      commandPollMs: 4_000,
      hosts: new Map(scenario.inventory.hosts.map((h) => [h.name, h])),
      checks: () => [],
      driver: createModelDriver(world, c, {
        linkOf: (host) => (calm() ? CALM : (scenario.links.get(siteOf.get(host) ?? "") ?? CALM)),
        heard: (host, results, activation) => watch.heard(host, results, activation),
        looked: (host, run, seen) => watch.looked(host, run, seen),
        asked: (host, activation) => watch.asked(host, activation),
      }),
      ...(options.rules ? { rules: options.rules } : {}),
    };
  }

  async #live(c: Controller): Promise<void> {
    const { options, trace, watch, random } = this.#stage;
    const run = drive(c.run, this.deps(c), { drain: c.drain.signal, abort: c.leave.signal });
    try {
      for (;;) {
        const next = await run.next();
        if (c.dead) return;
        if (next.done) return this.#ended(c, next.value);
        if (options.trace) trace(`${c.name} ${describe(next.value)}`);
      }
    } catch (error) {
      if (c.dead) return;
      this.#alive.delete(c);
      trace(`${c.name} gives up: ${error instanceof Error ? error.message : error}`);
      if (!(error instanceof FleetError) && !c.leave.signal.aborted)
        watch.violate(`${c.name} failed: ${error instanceof Error ? error.stack : error}`);
      this.wakeUp(c.run, random.int(5, 30) * 1000);
    }
  }

  async #ended(c: Controller, state: RolloutState): Promise<void> {
    const { shared, watch, trace, random } = this.#stage;
    this.#alive.delete(c);
    const events = await shared.events(c.run);
    // Another controller may have begun since the lease was given back.
    const whole = events.length === state.lastSeq ? state : null;
    for (const problem of judgeJournal(events, whole)) watch.violate(problem);
    trace(`${c.name} ends: ${state.status} ${state.reason ?? ""}`);
    if (isOver(state.status)) this.close(c.run);
    else this.wakeUp(c.run, random.int(1, 60) * 1000);
    this.ended(state);
  }
}

function describe(event: FleetEvent): string {
  const who = event.host === undefined ? "" : `${event.host}/${event.attempt} `;
  const move =
    event.type === "host.state" || event.type === "rollout.state"
      ? `${event.data.from} -> ${event.data.to} `
      : "";
  return `${event.seq} ${event.rollout} ${event.type} ${who}${move}${event.msg}`;
}
