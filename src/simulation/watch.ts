/** The promises of a rollout, checked against what really happens on the machines, at the moment it happens. */
import type { Activation } from "../host/driver.ts";
import type { CheckResult, Observation } from "../host/protocol.ts";
import { holds, type Machine } from "../lab/machine/model.ts";
import type { Parameters } from "../lab/machine/operations/operation.ts";
import type { Plan, PlannedHost } from "../plan/model.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import { Counter } from "./counts.ts";
import { isOpenByTheWall } from "./local-windows.ts";
import { JournalWatch } from "./watch-journals.ts";
import type { World } from "./world.ts";

/** A guard asks first, then the host is touched: what broke in between nobody could know. */
const GUARD_LATENCY_MS = 60_000;

interface Streak {
  since: number | null;
  checks: number;
}

export class Watch {
  readonly violations: string[] = [];
  readonly counter = new Counter();
  readonly journals = new JournalWatch((what) => this.violate(what), this.counter);
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
      this.#mayBeTouched(plan, target, "activated");
      this.#mayBegin(plan, target, key, before);
    }
    if (operation === "commit" && was?.phase === "activated" && is.phase === "committed")
      this.#mayCommit(plan, key);
    // What turned ill after its commit goes back at once; what is merely rolled back waits for its turn.
    const rolledBack = operation === "revert" && p.REASON === "operator";
    if (rolledBack && was?.phase === "committed" && is.phase !== "committed")
      this.#mayBeTouched(plan, target, "sent back");
    if (was && is.fence < was.fence)
      this.violate(`${host} obeyed fence ${is.fence} after ${was.fence} (${p.RUN})`);
  }

  /** Did the host, and its site, allow it? */
  #mayBegin({ id }: Plan, { windows, name }: PlannedHost, key: string, before: Machine): void {
    const { hold, lock } = before.disk;
    const { now } = this.#world.scheduler;
    if (lock || (hold && holds(hold, now))) this.violate(`${key} was activated while it was held`);
    if (!this.#clocksLie && !isOpenByTheWall(windows, now))
      this.violate(`${key} was activated outside of its maintenance window`);
    this.counter.add("activations");
    if (windows.length > 0) this.counter.add("activationsInWindows");
    const beside = (other: string) => {
      const theirs = other !== name && this.#world.isAtRisk(other) && this.#runAt(other);
      return theirs && theirs !== id;
    };
    if (this.#world.hosts.some(beside)) this.counter.add("interleaved");
  }

  #runAt(host: string): string | undefined {
    return this.#world.machine(host).disk.state?.rollout;
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

  /** Every budget and guard, counting the machines themselves; `host` counts already. */
  #mayBeTouched(plan: Plan, host: PlannedHost, how: string): void {
    const { limits } = plan;
    const world = this.#world;
    const atRisk = world.hosts.filter((name) => name === host.name || world.isAtRisk(name));
    const places = new Map(this.journals.states.flatMap((s) => [...s.targets]));
    const all = atRisk.flatMap((name) => places.get(name) ?? []);
    // What lost its power takes no slot and goes through no gateway; unavailable it is.
    const busy = all.filter((h) => h.name === host.name || world.isBusy(h.name, GUARD_LATENCY_MS));
    const mine = busy.filter((h) => h.name === host.name || this.#runAt(h.name) === plan.id);
    const at = (list: readonly PlannedHost[], same: (h: PlannedHost) => boolean) => list.filter(same).length;
    const most = (what: string, n: number, limit: number | null | undefined) => {
      if (limit !== null && limit !== undefined && n > limit)
        this.violate(`${host.name} ${how} by ${plan.id}: ${what} ${n} > ${limit} (${atRisk.join(" ")})`);
    };
    const { role, site } = host;
    const owners = new Set([plan.id, ...atRisk.map((name) => this.#runAt(name))]);
    const concerned = this.journals.states.filter(
      (s) => owners.has(s.plan.id) || !TERMINAL_STATES.has(s.status),
    );
    // Across runs each keeps to its own number, so together they keep to the largest.
    const joint = (pick: (p: Plan) => number | null | undefined) =>
      concerned.reduce<number | null>((most, s) => {
        const limit = pick(s.plan);
        return limit === null || limit === undefined ? most : Math.max(most ?? 0, limit);
      }, null);
    const inRole = (h: PlannedHost) => h.role === role;
    const inSite = (h: PlannedHost) => h.site === site;
    most("max-parallel", mine.length, limits.maxParallel);
    most(`max-parallel of ${role}`, at(mine, inRole), limits.maxParallelPerRole[role]);
    most(`activations in ${site}`, at(mine, inSite), limits.activatingPerSite);
    most(
      "max-unavailable",
      all.length,
      joint((p) => p.limits.maxUnavailable),
    );
    most(
      `max-unavailable of ${role}`,
      at(all, inRole),
      joint((p) => p.limits.maxUnavailablePerRole[role]),
    );
    most(
      `max-unavailable of ${site}`,
      at(all, inSite),
      joint((p) => p.limits.maxUnavailablePerSite[site ?? ""]),
    );
    if (role === "bootstrap")
      most(
        "bootstraps",
        at(all, (h) => h.role === "bootstrap"),
        1,
      );
    for (const other of busy) {
      if (other.via === host.name || host.via === other.name)
        this.violate(`${host.name} ${how} while ${other.name} depends on it, or it on that one`);
    }
    for (const guard of plan.guards.filter((g) => g.members.includes(host.name))) {
      const others = guard.members.filter((name) => name !== host.name && this.#serves(name));
      if (others.length < guard.required)
        this.violate(
          `${host.name} ${how}: ${guard.role} quorum ${others.length} < ${guard.required} in ${guard.site ?? "the fleet"}`,
        );
    }
  }

  #serves(name: string): boolean {
    const since = this.#world.unfitSince.get(name);
    const m = this.#world.machine(name);
    if (since !== undefined && this.#world.scheduler.now - since >= GUARD_LATENCY_MS)
      return this.#world.reachable(name) && m.memory?.failedUnits.length === 0;
    return !this.#world.isAtRisk(name) || (m.memory !== null && m.memory.failedUnits.length === 0);
  }
}
