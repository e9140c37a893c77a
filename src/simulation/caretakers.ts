/** People who look after single hosts: bring up whom a rollout left behind, and take back a host they are unhappy with. */
import { currentTarget } from "../operate/current-target.ts";
import { isBehind, settleCaughtUp } from "../rollout/catch-up.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import { earlierSystem, type Present, planRollback } from "../rollout/rollback-hosts.ts";
import type { RolloutState } from "../rollout/state.ts";
import { survey } from "../rollout/survey.ts";
import type { Controller } from "./controller.ts";
import type { Intentions } from "./intentions.ts";
import type { Runs, Stage } from "./runs.ts";
import { Somebody } from "./somebody.ts";

const MAX_RUNS = 3;
const PATIENCE = 3;

export class Caretakers extends Somebody {
  readonly #wish: Intentions;
  /** Rollbacks after which their hosts are held, as long as they go well. */
  readonly #holds = new Set<string>();
  #planned = 0;

  constructor(stage: Stage, runs: Runs, wish: Intentions) {
    super(stage, runs, wish.caretakersLuck);
    this.#wish = wish;
  }

  /** A controller has left this run: what now? */
  sees(state: RolloutState): void {
    const { luck } = this;
    const { catchUp, rollBack } = this.#wish;
    const { id } = state.plan;
    if (!TERMINAL_STATES.has(state.status)) return;
    const hosts = [...state.hosts.values()];
    if (this.#holds.delete(id) && state.status === "succeeded")
      void this.#hold(
        id,
        hosts.map((h) => h.name),
      );
    if (catchUp > 0 && hosts.some((h) => h.state === "deferred") && luck.chance(catchUp))
      this.after(this.soon(), () => this.#catchUp());
    if (rollBack > 0 && hosts.some((h) => h.committed) && luck.chance(rollBack))
      this.after(this.soon(), () => this.#rollBack());
  }

  /** As `reconcile` does, from a timer. */
  async #catchUp(patience = PATIENCE): Promise<void> {
    const { scenario, trace } = this.stage;
    if (this.#full || patience === 0) return;
    const c = this.runs.person("q", this.#newId("r"), this.luck);
    const { store } = this.runs.deps(c);
    const made = await this.asFar(c, 2_000, async () => {
      const records = await store.hosts();
      const hosts = scenario.inventory.hosts.filter((h) => isBehind(records.get(h.name)));
      const to = currentTarget(await store.runs());
      return hosts.length === 0 || to === null ? null : this.plan(c, hosts, to);
    });
    if (!made) return;
    const { plan, sightings } = made;
    await this.asFar(c, 8, () => settleCaughtUp(store, plan));
    if (plan.hosts.length > 0)
      trace(`somebody catches ${plan.hosts.map((h) => h.name).join(" ")} up to ${plan.revision}`);
    if (await this.begin(c, { ...plan, id: c.run }, { sightings })) this.stage.watch.counter.add("caughtUp");
    else this.after(this.luck.int(10, 300) * 1000, () => this.#catchUp(patience - 1));
  }

  /** As `rollback HOST` does. */
  async #rollBack(): Promise<void> {
    const { scenario, trace, watch } = this.stage;
    if (this.#full) return;
    const c = this.runs.person("q", this.#newId("b"), this.luck);
    const hosts = this.some().slice(0, 2);
    const found = await this.asFar(c, 2_000, () => this.#goals(c, hosts));
    if (!found) return;
    const plan = planRollback({
      id: c.run,
      inventory: scenario.inventory,
      hosts,
      revision: "last healthy",
      now: c.clock.now(),
      ...found,
    });
    trace(`somebody takes ${plan.hosts.map((h) => h.name).join(" ")} back`);
    if (this.luck.chance(0.5)) this.#holds.add(c.run);
    if (await this.begin(c, plan, { sightings: found.sightings })) watch.counter.add("rolledBack");
  }

  /** null: one of them does not answer, or has nothing to go back to. */
  async #goals(c: Controller, hosts: ReturnType<Somebody["some"]>) {
    const { store, driver } = this.runs.deps(c);
    const { signal } = c.leave;
    const sightings = await survey(hosts, driver, { signal, forks: 4 });
    const records = await store.hosts();
    const seen = new Map<string, Present>();
    const targets = new Map<string, string>();
    for (const host of hosts) {
      const sighting = sightings.get(host.name);
      if (!sighting?.reachable) return null;
      const generations = await driver.generations(host, { signal });
      const to = earlierSystem(generations, sighting.observation, records.get(host.name));
      if (to === null) return null;
      seen.set(host.name, sighting.observation);
      targets.set(host.name, to);
    }
    return { sightings, seen, targets };
  }

  async #hold(run: string, hosts: readonly string[]): Promise<void> {
    const { shared, world } = this.stage;
    const held = { reason: `rolled back (${run})`, by: "somebody", since: world.scheduler.now };
    for (const host of hosts) await shared.putHost({ host, held });
    this.after(this.luck.int(1, 20) * 60_000, async () => {
      for (const host of hosts) await shared.putHost({ host, held: undefined });
    });
  }

  get #full(): boolean {
    return this.#planned >= MAX_RUNS;
  }

  #newId = (prefix: "r" | "b"): string => `${prefix}-8${++this.#planned}`;
}
