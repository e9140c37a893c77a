/** The fleet as it really is: machines, links, and everything that happened to them. What a controller believes may differ. */
import { tick } from "../lab/machine/clock.ts";
import { bootId, type Machine } from "../lab/machine/model.ts";
import { installedMachine } from "../lab/machine/new-machine.ts";
import { OPERATIONS } from "../lab/machine/operations/index.ts";
import { type Outcome, type Parameters, perform } from "../lab/machine/operations/operation.ts";
import { networkUp, powerOn } from "../lab/machine/power.ts";
import type { StoreEntry } from "../lab/machine/system.ts";
import type { Scheduler } from "./scheduler.ts";

export interface ModelSystems {
  readonly from: StoreEntry;
  readonly to: StoreEntry;
  /** Of a release after that. */
  readonly next?: StoreEntry;
}

/** How good a site's link is. Milliseconds; probabilities per call. */
export interface LinkModel {
  readonly latencyMs: number;
  readonly cutBefore: number;
  readonly cutAfter: number;
  readonly hangs: number;
}

/** Somebody who watches every operation a host accepted. Throws nothing: violations are collected. */
export type Watcher = (
  host: string,
  operation: string,
  p: Parameters,
  before: Machine,
  after: Machine,
) => void;

export class World {
  readonly scheduler: Scheduler;
  readonly siteOf: ReadonlyMap<string, string>;
  readonly viaOf: ReadonlyMap<string, string>;
  readonly systems: ReadonlyMap<string, ModelSystems>;
  /** Sites whose uplink is down, and how many faults keep it so. */
  readonly #down = new Map<string, number>();
  /** Since when something outside of any rollout makes a host unfit to serve. */
  readonly unfitSince = new Map<string, number>();
  readonly #unfit = new Map<string, number>();
  /** Hosts whose users would rather not be disturbed, until then. */
  readonly #notNow = new Map<string, number>();
  readonly #machines = new Map<string, Machine>();
  readonly #watchers: Watcher[] = [];
  /** The last attempt each host was seen to have come to the end of. */
  readonly #settled = new Map<string, string>();
  /** When a host that had lost its power in flight had it back, and which attempt it was at. */
  readonly #powerBack = new Map<string, { readonly at: number; readonly attempt: string }>();

  constructor(
    scheduler: Scheduler,
    systems: ReadonlyMap<string, ModelSystems>,
    siteOf: ReadonlyMap<string, string>,
    viaOf: ReadonlyMap<string, string>,
    timing: Machine["timing"],
  ) {
    this.scheduler = scheduler;
    this.systems = systems;
    this.siteOf = siteOf;
    this.viaOf = viaOf;
    for (const [name, { from }] of systems)
      this.#machines.set(name, installedMachine({ name, timing }, [from], scheduler.now));
  }

  get hosts(): readonly string[] {
    return [...this.#machines.keys()];
  }

  watch(watcher: Watcher): void {
    this.#watchers.push(watcher);
  }

  /** The machine as it is now. */
  machine(name: string): Machine {
    const known = this.#machines.get(name);
    if (!known) throw new RangeError(`no machine ${name}`);
    const machine = tick(known, this.scheduler.now);
    this.#machines.set(name, machine);
    if (machine.memory !== null && !isUnderWay(machine)) this.#settled.set(name, stageOf(machine));
    return machine;
  }

  /** The last attempt it was told of. */
  attempt(name: string): string {
    return attemptOf(this.machine(name));
  }

  /** Does a rollout hold it between its first change and its proof, or is it on its way back? */
  isAtRisk(name: string): boolean {
    const m = this.machine(name);
    if (m.memory !== null) return isUnderWay(m);
    // Without power, or booting: as it was, unless it had come to its end before.
    return isOpen(m) && this.#settled.get(name) !== stageOf(m);
  }

  /**
   * Is it doing something for a rollout? Without power it is not, though it serves nobody either; with power again it
   * is, but for `latencyMs` nobody could know, unless a controller heard from it.
   */
  isBusy(name: string, latencyMs: number): boolean {
    const m = this.machine(name);
    const back = this.#powerBack.get(name);
    const unseen =
      back !== undefined && back.attempt === attemptOf(m) && this.scheduler.now - back.at < latencyMs;
    return m.power.kind !== "off" && !unseen && this.isAtRisk(name);
  }

  heardFrom(name: string): void {
    this.#powerBack.delete(name);
  }

  /** What was under way when its power went goes on. */
  powerOn(name: string): void {
    if (this.isAtRisk(name))
      this.#powerBack.set(name, { at: this.scheduler.now, attempt: attemptOf(this.machine(name)) });
    this.change(name, powerOn);
  }

  change(name: string, change: (m: Machine, now: number) => Machine): void {
    this.#machines.set(name, change(this.machine(name), this.scheduler.now));
  }

  /** One script on one host, now. */
  operate(host: string, operation: string, p: Parameters): Outcome {
    const op = OPERATIONS[operation];
    if (!op) throw new RangeError(`no operation ${operation}`);
    const before = this.machine(host);
    const outcome = perform(op, before, p, this.scheduler.now);
    this.#machines.set(host, outcome.machine);
    if (outcome.exit === 0)
      for (const watch of this.#watchers) watch(host, operation, p, before, outcome.machine);
    return outcome;
  }

  /** Can a packet get from a controller to this host? */
  reachable(host: string): boolean {
    const site = this.siteOf.get(host) ?? "";
    if ((this.#down.get(site) ?? 0) > 0) return false;
    const via = this.viaOf.get(host);
    return networkUp(this.machine(host)) && (via === undefined || this.reachable(via));
  }

  cutSite(site: string): void {
    this.#down.set(site, (this.#down.get(site) ?? 0) + 1);
    for (const [host, at] of this.siteOf) if (at === site) this.markUnfit(host);
  }

  restoreSite(site: string): void {
    this.#down.set(site, (this.#down.get(site) ?? 0) - 1);
    for (const [host, at] of this.siteOf) if (at === site) this.unmarkUnfit(host);
  }

  notNowUntil(host: string, at: number): void {
    this.#notNow.set(host, Math.max(at, this.#notNow.get(host) ?? 0));
  }

  isNotNow(host: string): boolean {
    return this.scheduler.now < (this.#notNow.get(host) ?? 0);
  }

  markUnfit(host: string): void {
    const n = this.#unfit.get(host) ?? 0;
    this.#unfit.set(host, n + 1);
    if (n === 0) this.unfitSince.set(host, this.scheduler.now);
  }

  unmarkUnfit(host: string): void {
    const n = (this.#unfit.get(host) ?? 0) - 1;
    this.#unfit.set(host, n);
    if (n === 0) this.unfitSince.delete(host);
  }
}

const attemptOf = ({ disk: { state } }: Machine): string =>
  state === null ? "" : `${state.rollout}/${state.attempt}`;

const stageOf = (m: Machine): string => `${attemptOf(m)} ${m.disk.state?.phase ?? ""}`;

const isOpen = ({ disk: { state } }: Machine): boolean =>
  state !== null && ["activating", "activated", "reverting"].includes(state.phase);

function isUnderWay(m: Machine): boolean {
  const file = m.disk.state;
  if (file === null || !isOpen(m)) return false;
  const { current, timers, jobs } = m.memory ?? { current: "", timers: [], jobs: [] };
  // The power was cut, and what it boots by itself is up, for good: the old system, or one it did not get back from.
  const cut = file.bootId !== bootId(m) && current === m.disk.bootDefault;
  return !cut || timers.length + jobs.length > 0;
}
