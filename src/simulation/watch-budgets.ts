/** Every budget and guard at the moment a host is touched, counting the machines themselves, over all runs. */
import type { Plan, PlannedHost } from "../plan/model.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import type { JournalWatch } from "./watch-journals.ts";
import type { World } from "./world.ts";

/** A guard asks first, then the host is touched: what broke in between nobody could know. */
const GUARD_LATENCY_MS = 60_000;
/** From the claim of a slot in the journal until the host is told. */
const WORD_LATENCY_MS = 10_000;

/** Whose record is on the host? */
export const runAt = (world: World, host: string): string | undefined =>
  world.machine(host).disk.state?.rollout;

export class BudgetWatch {
  readonly #world: World;
  readonly #journals: JournalWatch;
  readonly #violate: (what: string) => void;
  /** Hosts that went back after their commit because they turned ill: when, and from which attempt. */
  readonly #ill = new Map<string, { readonly at: number; readonly attempt: string }>();

  constructor(world: World, journals: JournalWatch, violate: (what: string) => void) {
    this.#world = world;
    this.#journals = journals;
    this.#violate = violate;
  }

  /** It goes back at once, whatever the budgets; somebody else's word to begin may be under way just then. */
  turnedIll(host: string): void {
    this.#ill.set(host, { at: this.#world.scheduler.now, attempt: this.#world.attempt(host) });
  }

  #justTurnedIll(host: string): boolean {
    const ill = this.#ill.get(host);
    const sudden = ill !== undefined && this.#world.scheduler.now - ill.at < WORD_LATENCY_MS;
    return sudden && ill.attempt === this.#world.attempt(host);
  }

  /** `host` counts already. */
  mayBeTouched(plan: Plan, host: PlannedHost, how: string): void {
    const { limits } = plan;
    const world = this.#world;
    const atRisk = world.hosts.filter(
      (name) => name === host.name || (world.isAtRisk(name) && !this.#justTurnedIll(name)),
    );
    const places = new Map(this.#journals.states.flatMap((s) => [...s.targets]));
    const all = atRisk.flatMap((name) => places.get(name) ?? []);
    // What lost its power takes no slot and goes through no gateway; unavailable it is.
    const busy = all.filter((h) => h.name === host.name || world.isBusy(h.name, GUARD_LATENCY_MS));
    const mine = busy.filter((h) => h.name === host.name || runAt(world, h.name) === plan.id);
    const at = (list: readonly PlannedHost[], same: (h: PlannedHost) => boolean) => list.filter(same).length;
    const most = (what: string, n: number, limit: number | null | undefined) => {
      if (limit !== null && limit !== undefined && n > limit)
        this.#violate(`${host.name} ${how} by ${plan.id}: ${what} ${n} > ${limit} (${atRisk.join(" ")})`);
    };
    const { role, site } = host;
    const owners = new Set([plan.id, ...atRisk.map((name) => runAt(world, name))]);
    const concerned = this.#journals.states.filter(
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
        this.#violate(`${host.name} ${how} while ${other.name} depends on it, or it on that one`);
    }
    for (const guard of plan.guards.filter((g) => g.members.includes(host.name))) {
      const others = guard.members.filter((name) => name !== host.name && this.#serves(name));
      if (others.length < guard.required)
        this.#violate(
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
