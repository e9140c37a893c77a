/** The promises of a rollout, checked against what really happens on the machines, at the moment it happens. */
import type { Activation } from "../host/driver.ts";
import type { CheckResult, Observation } from "../host/protocol.ts";
import { holds, type Machine } from "../lab/machine/model.ts";
import type { Parameters } from "../lab/machine/operations/operation.ts";
import type { Plan, PlannedHost } from "../plan/model.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import type { RolloutState } from "../rollout/state.ts";
import { Counter } from "./counts.ts";
import { isOpenByTheWall } from "./local-windows.ts";
import { BudgetWatch, runAt } from "./watch-budgets.ts";
import { JournalWatch } from "./watch-journals.ts";
import type { World } from "./world.ts";

interface Streak {
  since: number | null;
  checks: number;
}

export class Watch {
  readonly violations: string[] = [];
  readonly counter = new Counter();
  readonly journals = new JournalWatch((what) => this.violate(what), this.counter);
  readonly #budgets: BudgetWatch;
  readonly #world: World;
  readonly #starts = new Map<string, number>();
  readonly #streaks = new Map<string, Streak>();
  /** `host run` that said when it was last asked that it does not want to be changed. */
  readonly #unwilling = new Set<string>();
  /** Clocks were set or controllers froze: durations cannot be judged to the millisecond. */
  readonly #clocksLie: boolean;

  constructor(world: World, clocksLie: boolean) {
    this.#world = world;
    this.#clocksLie = clocksLie;
    this.#budgets = new BudgetWatch(world, this.journals, (what) => this.violate(what));
    world.watch((host, operation, p, before, after) => this.#operated(host, operation, p, before, after));
  }

  violate(what: string): void {
    this.violations.push(`${this.#world.scheduler.now}: ${what}`);
  }

  /** What a host said of itself, as its controller got to know it. */
  looked(host: string, run: string, { hold, lock }: Observation): void {
    if (hold || lock) this.#unwilling.add(`${host} ${run}`);
    else this.#unwilling.delete(`${host} ${run}`);
  }

  /** The word to activate, as it arrives. */
  asked(host: string, { rollout }: Activation): void {
    if (this.#unwilling.has(`${host} ${rollout}`))
      this.violate(`${host} was told to activate by ${rollout}, to which it had said that it is held`);
  }

  /** An answer to a health check that reached its controller. */
  heard(host: string, results: readonly CheckResult[], activation: Activation | undefined): void {
    if (results.some((r) => r.status === "retry")) this.counter.add("notNow");
    if (!activation) return;
    const healthy = results.every((r) => r.status === "ok");
    const key = `${host} ${activation.rollout}/${activation.attempt}`;
    const streak = this.#streaks.get(key) ?? { since: null, checks: 0 };
    this.#streaks.set(
      key,
      healthy
        ? { since: streak.since ?? this.#world.scheduler.now, checks: streak.checks + 1 }
        : { since: null, checks: 0 },
    );
  }

  #operated(host: string, operation: string, p: Parameters, before: Machine, after: Machine): void {
    const [was, is] = [before.disk.state, after.disk.state];
    if (!is) return;
    const run = this.journals.stateOf(is.rollout);
    const target = run?.targets.get(host);
    if (!run || !target) return;
    const { plan } = run;
    const key = `${host} ${is.rollout}/${is.attempt}`;
    if (operation === "activate" && (was?.rollout !== is.rollout || was.attempt !== is.attempt)) {
      const starts = (this.#starts.get(key) ?? 0) + 1;
      this.#starts.set(key, starts);
      if (starts > 1) this.violate(`${key} was activated ${starts} times`);
      this.#budgets.mayBeTouched(plan, target, "activated");
      this.#mayBegin(run, target, key, before);
    }
    if (operation === "commit" && was?.phase === "activated" && is.phase === "committed")
      this.#mayCommit(plan, key);
    if (operation === "revert" && was?.phase === "committed" && is.phase !== "committed") {
      // What turned ill after its commit goes back at once; what is merely rolled back waits for its turn.
      if (p.REASON === "operator") this.#budgets.mayBeTouched(plan, target, "sent back");
      else this.#budgets.turnedIll(host);
    }
    if (was && is.fence < was.fence)
      this.violate(`${host} obeyed fence ${is.fence} after ${was.fence} (${p.RUN})`);
  }

  /** Did the host, and its site, allow it? */
  #mayBegin(
    { plan, status }: RolloutState,
    { windows, name }: PlannedHost,
    key: string,
    before: Machine,
  ): void {
    const { hold, lock, consent } = before.disk;
    const { now } = this.#world.scheduler;
    if (lock || (hold && holds(hold, now))) this.violate(`${key} was activated while it was held`);
    if (consent && !plan.policy.ignoreConsent)
      this.violate(`${key} was activated although its owner did not consent`);
    if (!this.#clocksLie) {
      if (!isOpenByTheWall(windows, now))
        this.violate(`${key} was activated outside of its maintenance window`);
      if (TERMINAL_STATES.has(status)) this.violate(`${key} was activated, and its run is ${status}`);
    }
    this.counter.add("activations");
    if (windows.length > 0) this.counter.add("activationsInWindows");
    const beside = (other: string) => {
      const theirs = other !== name && this.#world.isAtRisk(other) && runAt(this.#world, other);
      return theirs && theirs !== plan.id;
    };
    if (this.#world.hosts.some(beside)) this.counter.add("interleaved");
  }

  #mayCommit(plan: Plan, key: string): void {
    const streak = this.#streaks.get(key);
    if (!streak || streak.since === null || streak.checks === 0) {
      this.violate(`${key} was committed without a healthy check`);
      return;
    }
    const proven = this.#world.scheduler.now - streak.since;
    if (!this.#clocksLie && proven < plan.policy.minHealthyTimeMs)
      this.violate(
        `${key} was committed after ${proven} ms of health, ${plan.policy.minHealthyTimeMs} needed`,
      );
  }
}
