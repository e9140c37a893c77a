/** What everybody around a rollout can do: wait, look, begin runs, and fall asleep or die over it. */
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import type { ClosureSource } from "../nix/closures.ts";
import type { Plan } from "../plan/model.ts";
import { type StartOptions, startRun } from "../rollout/begin.ts";
import { type Planned, planRollout } from "../rollout/launch.ts";
import { type RolloutState, replay } from "../rollout/state.ts";
import type { Controller } from "./controller.ts";
import type { Random } from "./random.ts";
import type { Runs, Stage } from "./runs.ts";

export class Somebody {
  /** Still up to something: the simulation is not over. */
  busy = 0;
  protected readonly stage: Stage;
  protected readonly runs: Runs;
  protected readonly luck: Random;

  constructor(stage: Stage, runs: Runs, luck: Random) {
    this.stage = stage;
    this.runs = runs;
    this.luck = luck;
  }

  protected look = async (run: string): Promise<RolloutState | null> =>
    replay(await this.stage.shared.events(run));

  protected some(): readonly Host[] {
    const { hosts } = this.stage.scenario.inventory;
    const some = hosts.filter(() => this.luck.chance(0.5));
    return some.length > 0 ? some : [this.luck.pick(hosts)];
  }

  /** As `rollout` does: looks at these hosts and plans to bring them to a release. */
  protected plan(c: Controller, hosts: readonly Host[], revision: string): Promise<Planned> {
    const { store, driver, clock } = this.runs.deps(c);
    const { inventory } = this.stage.scenario;
    const closures = this.#release(revision);
    return planRollout(
      { inventory, hosts, to: revision, force: false },
      { driver, closures, store, clock, signal: c.leave.signal, forks: 4 },
    );
  }

  /** The systems of a release, as far as there are any. */
  #release(revision: string): Pick<ClosureSource, "revision" | "build"> {
    const built = [...this.stage.world.systems].flatMap(([name, { to, next }]) => {
      const system = revision === "r3" ? next : to;
      return system ? [[name, { toplevel: system.path, size: system.size, version: revision }] as const] : [];
    });
    return { revision: async () => revision, build: async () => new Map(built) };
  }

  protected soon = (): number => this.luck.int(1, this.luck.chance(0.2) ? 600 : 60) * 1000;

  protected sometime(work: () => Promise<void>): void {
    this.after(this.luck.int(0, this.stage.scenario.troubleMs), work);
  }

  protected after(ms: number, work: () => Promise<void>): void {
    this.busy++;
    this.stage.world.scheduler.after(ms, () => {
      void work().then(
        () => this.busy--,
        (error) => {
          this.busy--;
          this.stage.watch.violate(`somebody failed: ${error instanceof Error ? error.stack : error}`);
        },
      );
    });
  }

  protected async begin(c: Controller, plan: Plan, more: Partial<StartOptions>): Promise<boolean> {
    const { shared, options } = this.stage;
    if (plan.hosts.length === 0) return false;
    const { store, clock } = this.runs.deps(c);
    const rules = options.rules ? { rules: options.rules } : {};
    const begun = await this.asFar(c, 8, () =>
      startRun(store, plan, { operator: c.name, clock, ...more, ...rules }),
    );
    // Without an answer it may have been begun all the same.
    if ((await shared.events(plan.id)).length === 0) return false;
    if (begun) this.runs.start(plan.id);
    else this.runs.wakeUp(plan.id, this.luck.int(1, 60) * 1000);
    return true;
  }

  /** null: it could not be done, or whoever did it died of it. It may fall asleep within that time. */
  protected asFar<T>(c: Controller, withinMs: number, work: () => Promise<T>): Promise<T | null> {
    const { trace, watch, scenario } = this.stage;
    return new Promise((resolve, reject) => {
      if (c.dead) return resolve(null);
      c.died = () => resolve(null);
      if (scenario.clocksLie && this.luck.chance(0.4)) this.#freezes(c, this.luck.int(0, withinMs));
      work().then(resolve, (error) => {
        if (!(error instanceof FleetError)) return reject(error);
        if (error.code === "locked") watch.counter.add("refusedOverlaps");
        trace(`${c.name} fails: ${error.message}`);
        resolve(null);
      });
    });
  }

  /** A laptop falls asleep in the midst of it. */
  #freezes(c: Controller, afterMs: number): void {
    const { scheduler } = this.stage.world;
    scheduler.after(afterMs, () => {
      c.frozenUntil = scheduler.now + this.luck.int(2, 90) * 1000;
      this.stage.trace(`${c.name}: frozen`);
    });
  }
}
