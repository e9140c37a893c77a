/** People who change their minds: undo a run, put a newer release over it, try an ended one again, pass gates. */
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import type { Plan } from "../plan/model.ts";
import { type StartOptions, startRun } from "../rollout/begin.ts";
import { applyCommand } from "../rollout/commands.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import { planRollout } from "../rollout/launch.ts";
import { type RolloutState, replay } from "../rollout/state.ts";
import { changedBy, planUndo } from "../rollout/undo.ts";
import type { Controller } from "./controller.ts";
import type { Intentions } from "./intentions.ts";
import { variedWord, type Word } from "./operator.ts";
import type { Runs, Stage } from "./runs.ts";

const MAX_RUNS = 6;
const MAX_REOPENED = 2;
const PATIENCE = 3;

export class People {
  /** Still up to something: the simulation is not over. */
  busy = 0;
  readonly #stage: Stage;
  readonly #runs: Runs;
  readonly #wish: Intentions;
  readonly #undoNext = new Set<string>();
  #reopened = 0;
  #supersedes: number;
  #planned = 0;

  constructor(stage: Stage, runs: Runs, wish: Intentions) {
    this.#stage = stage;
    this.#runs = runs;
    this.#wish = wish;
    this.#supersedes = wish.supersede;
    runs.ended = (state) => this.#sees(state);
    const { luck } = wish;
    for (let i = 0; i < wish.words; i++) this.#sometime(() => this.#says());
    for (let i = 0; i < wish.rivals; i++)
      this.#sometime(async () => {
        if (runs.open.length > 0) runs.start(luck.pick(runs.open));
      });
    for (let i = 0; i < wish.supersede; i++) this.#sometime(() => this.#supersede());
  }

  /** A controller has left this run: what now? */
  #sees(state: RolloutState): void {
    const { luck, undo, reopen } = this.#wish;
    const { id } = state.plan;
    const over = TERMINAL_STATES.has(state.status);
    const soon = () => luck.int(1, luck.chance(0.2) ? 600 : 60) * 1000;
    if (over && this.#undoNext.delete(id)) this.#after(soon(), () => this.#undo(id));
    else if (undo > 0 && changedBy(state).size > 0 && luck.chance(undo))
      this.#after(soon(), () => this.#undo(id));
    if (!over && this.#supersedes > 0 && luck.chance(0.6)) this.#after(soon(), () => this.#supersede());
    if (over && reopen > 0 && this.#reopened < MAX_REOPENED && luck.chance(reopen))
      this.#after(soon(), () => this.#reopen(id));
  }

  /** As `rollout undo` does: a run that is not over is aborted and seen to its end first. */
  async #undo(run: string): Promise<void> {
    const { shared, scenario, trace, world } = this.#stage;
    const { luck } = this.#wish;
    const state = await this.#look(run);
    if (!state || this.#full || changedBy(state).size === 0) return;
    if (await shared.holder(`run:${run}`, world.scheduler.now)) return;
    trace(`somebody undoes ${run}`);
    if (!TERMINAL_STATES.has(state.status)) {
      this.#undoNext.add(run);
      await shared.submit(run, { command: "abort", by: "somebody" });
      return this.#runs.start(run);
    }
    const c = this.#runs.person("p", this.#newId(), luck);
    const plan = planUndo(state, {
      id: c.run,
      inventory: scenario.inventory,
      hosts: luck.chance(0.3) ? this.#some() : scenario.inventory.hosts,
      now: c.clock.now(),
      waves: luck.chance(0.2),
      rules: this.#stage.options.rules,
    });
    await this.#begin(c, plan, {});
  }

  /** A newer release, over whoever has not finished, if that can be. */
  async #supersede(patience = PATIENCE): Promise<void> {
    const { scenario, world, trace } = this.#stage;
    const { luck } = this.#wish;
    if (this.#full || patience === 0) return;
    const c = this.#runs.person("p", this.#newId(), luck);
    const { store, driver } = this.#runs.deps(c);
    const targets = [...world.systems].flatMap(([name, { next }]) =>
      next ? [[name, { toplevel: next.path, size: next.size, version: "r3" }] as const] : [],
    );
    const closures = {
      revision: async () => "r3",
      build: async () => new Map(targets),
    };
    const hosts = luck.chance(0.5) ? this.#some() : scenario.inventory.hosts;
    const { clock, leave } = c;
    const made = await this.#asFar(c, 2_000, () =>
      planRollout(
        { inventory: scenario.inventory, hosts, force: false },
        { driver, closures, store, clock, signal: leave.signal, forks: 4 },
      ),
    );
    if (!made || made.plan.hosts.length === 0) return;
    trace(`somebody rolls out r3 to ${made.plan.hosts.map((h) => h.name).join(" ")}`);
    const supersede = luck.chance(0.85);
    const begun = await this.#begin(c, { ...made.plan, id: c.run }, { supersede, sightings: made.sightings });
    if (begun) this.#supersedes--;
    else this.#after(luck.int(2, 40) * 1000, () => this.#supersede(patience - 1));
  }

  async #begin(c: Controller, plan: Plan, more: Partial<StartOptions>): Promise<boolean> {
    const { shared, options } = this.#stage;
    if (plan.hosts.length === 0) return false;
    const { store, clock } = this.#runs.deps(c);
    const rules = options.rules ? { rules: options.rules } : {};
    const begun = await this.#asFar(c, 8, () =>
      startRun(store, plan, { operator: c.name, clock, ...more, ...rules }),
    );
    // Without an answer it may have been begun all the same.
    if ((await shared.events(plan.id)).length === 0) return false;
    if (begun) this.#runs.start(plan.id);
    else this.#runs.wakeUp(plan.id, this.#wish.luck.int(1, 60) * 1000);
    return true;
  }

  /** As `rollout retry` does with a run that has ended. */
  async #reopen(run: string): Promise<void> {
    const { luck } = this.#wish;
    const state = await this.#look(run);
    if (!state || !TERMINAL_STATES.has(state.status) || this.#runs.isDriven(run)) return;
    const named = luck.chance(0.5) ? { hosts: this.#some().map((h) => h.name) } : {};
    const word: Word = { command: "retry", by: "somebody", ...named };
    if (applyCommand(state, word).kind !== "applied") return;
    this.#reopened++;
    this.#stage.trace(`somebody retries ${run}, which has ended`);
    await this.#stage.shared.submit(run, word);
    this.#runs.reopen(run);
    this.#runs.start(run);
  }

  async #says(): Promise<void> {
    const { luck } = this.#wish;
    if (this.#runs.open.length === 0) return;
    const run = luck.pick(this.#runs.open);
    const waves = (await this.#look(run))?.plan.waves.length ?? 1;
    const word = variedWord(
      luck,
      waves,
      this.#some().map((h) => h.name),
    );
    this.#stage.trace(`somebody says ${JSON.stringify(word)} to ${run}`);
    await this.#stage.shared.submit(run, word);
  }

  #look = async (run: string): Promise<RolloutState | null> => replay(await this.#stage.shared.events(run));

  #some(): readonly Host[] {
    const { hosts } = this.#stage.scenario.inventory;
    const { luck } = this.#wish;
    const some = hosts.filter(() => luck.chance(0.5));
    return some.length > 0 ? some : [luck.pick(hosts)];
  }

  get #full(): boolean {
    return this.#runs.ids.length >= MAX_RUNS;
  }

  #newId = (): string => `r-9${++this.#planned}`;

  #sometime(work: () => Promise<void>): void {
    this.#after(this.#wish.luck.int(0, this.#stage.scenario.troubleMs), work);
  }

  #after(ms: number, work: () => Promise<void>): void {
    this.busy++;
    this.#stage.world.scheduler.after(ms, () => {
      void work().then(
        () => this.busy--,
        (error) => {
          this.busy--;
          this.#stage.watch.violate(`somebody failed: ${error instanceof Error ? error.stack : error}`);
        },
      );
    });
  }

  /** A laptop falls asleep in the midst of it. */
  #freezes(c: Controller, afterMs: number): void {
    const { scheduler } = this.#stage.world;
    const { luck } = this.#wish;
    scheduler.after(afterMs, () => {
      c.frozenUntil = scheduler.now + luck.int(2, 90) * 1000;
      this.#stage.trace(`${c.name}: frozen`);
    });
  }

  /** null: it could not be done, or whoever did it died of it. It may fall asleep within that time. */
  #asFar<T>(c: Controller, withinMs: number, work: () => Promise<T>): Promise<T | null> {
    const { trace, watch, scenario } = this.#stage;
    const { luck } = this.#wish;
    return new Promise((resolve, reject) => {
      if (c.dead) return resolve(null);
      c.died = () => resolve(null);
      if (scenario.clocksLie && luck.chance(0.4)) this.#freezes(c, luck.int(0, withinMs));
      work().then(resolve, (error) => {
        if (!(error instanceof FleetError)) return reject(error);
        if (error.code === "locked") watch.counter.add("refusedOverlaps");
        trace(`${c.name} fails: ${error.message}`);
        resolve(null);
      });
    });
  }
}
