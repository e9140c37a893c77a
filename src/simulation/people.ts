/** People who change their minds: undo a run, put a newer release over it, try an ended one again, pass gates. */
import { applyCommand } from "../rollout/commands.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import type { RolloutState } from "../rollout/state.ts";
import { changedBy, planUndo } from "../rollout/undo.ts";
import type { Intentions } from "./intentions.ts";
import { variedWord, type Word } from "./operator.ts";
import type { Runs, Stage } from "./runs.ts";
import { Somebody } from "./somebody.ts";

const MAX_RUNS = 6;
const MAX_REOPENED = 2;
const PATIENCE = 3;

export class People extends Somebody {
  readonly #wish: Intentions;
  readonly #undoNext = new Set<string>();
  #reopened = 0;
  #supersedes: number;
  #planned = 0;

  constructor(stage: Stage, runs: Runs, wish: Intentions) {
    super(stage, runs, wish.luck);
    this.#wish = wish;
    this.#supersedes = wish.supersede;
    for (let i = 0; i < wish.words; i++) this.sometime(() => this.#says());
    for (let i = 0; i < wish.rivals; i++)
      this.sometime(async () => {
        if (runs.open.length > 0) runs.start(this.luck.pick(runs.open));
      });
    for (let i = 0; i < wish.supersede; i++) this.sometime(() => this.#supersede());
  }

  /** A controller has left this run: what now? */
  sees(state: RolloutState): void {
    const { luck } = this;
    const { undo, reopen } = this.#wish;
    const { id } = state.plan;
    const over = TERMINAL_STATES.has(state.status);
    if (over && this.#undoNext.delete(id)) this.after(this.soon(), () => this.#undo(id));
    else if (undo > 0 && changedBy(state).size > 0 && luck.chance(undo))
      this.after(this.soon(), () => this.#undo(id));
    if (!over && this.#supersedes > 0 && luck.chance(0.6)) this.after(this.soon(), () => this.#supersede());
    if (over && reopen > 0 && this.#reopened < MAX_REOPENED && luck.chance(reopen))
      this.after(this.soon(), () => this.#reopen(id));
  }

  /** As `rollout undo` does: a run that is not over is aborted and seen to its end first. */
  async #undo(run: string): Promise<void> {
    const { shared, scenario, trace, world } = this.stage;
    const state = await this.look(run);
    if (!state || this.#full || changedBy(state).size === 0) return;
    if (await shared.holder(`run:${run}`, world.scheduler.now)) return;
    trace(`somebody undoes ${run}`);
    if (!TERMINAL_STATES.has(state.status)) {
      this.#undoNext.add(run);
      await shared.submit(run, { command: "abort", by: "somebody" });
      return this.runs.start(run);
    }
    const c = this.runs.person("p", this.#newId(), this.luck);
    const plan = planUndo(state, {
      id: c.run,
      inventory: scenario.inventory,
      hosts: this.luck.chance(0.3) ? this.some() : scenario.inventory.hosts,
      now: c.clock.now(),
      waves: this.luck.chance(0.2),
      rules: this.stage.options.rules,
    });
    await this.begin(c, plan, {});
  }

  /** A newer release, over whoever has not finished, if that can be. */
  async #supersede(patience = PATIENCE): Promise<void> {
    const { scenario, trace } = this.stage;
    const { luck } = this;
    if (this.#full || patience === 0) return;
    const c = this.runs.person("p", this.#newId(), luck);
    const hosts = luck.chance(0.5) ? this.some() : scenario.inventory.hosts;
    const made = await this.asFar(c, 2_000, () => this.plan(c, hosts, "r3"));
    if (!made || made.plan.hosts.length === 0) return;
    trace(`somebody rolls out r3 to ${made.plan.hosts.map((h) => h.name).join(" ")}`);
    const supersede = luck.chance(0.85);
    const begun = await this.begin(c, { ...made.plan, id: c.run }, { supersede, sightings: made.sightings });
    if (begun) this.#supersedes--;
    else this.after(luck.int(2, 40) * 1000, () => this.#supersede(patience - 1));
  }

  /** As `rollout retry` does with a run that has ended. */
  async #reopen(run: string): Promise<void> {
    const state = await this.look(run);
    if (!state || !TERMINAL_STATES.has(state.status) || this.runs.isDriven(run)) return;
    const named = this.luck.chance(0.5) ? { hosts: this.some().map((h) => h.name) } : {};
    const word: Word = { command: "retry", by: "somebody", ...named };
    if (applyCommand(state, word).kind !== "applied") return;
    this.#reopened++;
    this.stage.trace(`somebody retries ${run}, which has ended`);
    await this.stage.shared.submit(run, word);
    this.runs.reopen(run);
    this.runs.start(run);
  }

  async #says(): Promise<void> {
    if (this.runs.open.length === 0) return;
    const run = this.luck.pick(this.runs.open);
    const waves = (await this.look(run))?.plan.waves.length ?? 1;
    const names = this.some().map((h) => h.name);
    const word = variedWord(this.luck, waves, names);
    this.stage.trace(`somebody says ${JSON.stringify(word)} to ${run}`);
    await this.stage.shared.submit(run, word);
  }

  get #full(): boolean {
    return this.runs.ids.length >= MAX_RUNS;
  }

  #newId = (): string => `r-9${++this.#planned}`;
}
