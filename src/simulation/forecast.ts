/** An operator's own rollout, played through on a model of the fleet before the real thing: how long, how much, and what if. */
import type { Inventory } from "../inventory/model.ts";
import type { Behaviour } from "../lab/machine/system.ts";
import type { Plan } from "../plan/model.ts";
import { drive } from "../rollout/engine.ts";
import type { FleetEvent } from "../rollout/events.ts";
import { evolve, type RolloutState } from "../rollout/state.ts";
import { MemoryStore } from "../store/memory.ts";
import { Controller } from "./controller.ts";
import { systemEntry } from "./fleet.ts";
import { createModelDriver } from "./model-driver.ts";
import { Random } from "./random.ts";
import { planFor } from "./scenario.ts";
import { Scheduler } from "./scheduler.ts";
import { type ModelSystems, World } from "./world.ts";

/** Durations in ms. */
export interface FleetModel {
  readonly latencyMs: number;
  readonly activationMs: number;
  readonly bootMs: number;
  /** Uplink of a site that states none, Mbit/s. */
  readonly mbps: number;
  /** Copied to a host whose closure's size is not known, bytes. */
  readonly bytesPerHost: number;
  /** What the new release does on every host. */
  readonly release: Behaviour;
}

export const TYPICAL: FleetModel = {
  latencyMs: 60,
  activationMs: 25_000,
  bootMs: 60_000,
  mbps: 50,
  bytesPerHost: 400_000_000,
  release: "good",
};

export interface WaveForecast {
  readonly index: number;
  readonly label: string;
  readonly hosts: number;
  /** From the start of the rollout, ms. */
  readonly startsMs: number;
  readonly endsMs: number;
}

export interface RolloutForecast {
  readonly durationMs: number;
  /** In its journal. */
  readonly events: number;
  /** `succeeded`, `paused`, … and why. */
  readonly end: string;
  readonly reason: string | null;
  readonly bytesPerSite: Readonly<Record<string, number>>;
  readonly perWave: readonly WaveForecast[];
  readonly hosts: number;
  /** Hosts that ran the new release at some time, and those that do in the end. */
  readonly touched: number;
  readonly updated: number;
  readonly mostUnavailable: number;
  /** Sum over hosts of the time they were not proven, ms. */
  readonly unavailableMs: number;
}

const LONGEST_MS = 60 * 24 * 3600_000;

/** Plays `plan` through with the real engine in virtual time. Gates open at once; windows are waited for. */
export async function simulateRollout(
  plan: Plan,
  inventory: Inventory,
  model: FleetModel = TYPICAL,
): Promise<RolloutForecast> {
  const scheduler = new Scheduler(plan.createdAt);
  const hosts = inventory.hosts.map((h) => ({ ...h, site: h.site }));
  const targets = new Map(plan.hosts.map((h) => [h.name, h]));
  const systems = new Map<string, ModelSystems>(
    hosts.map((h) => {
      const target = targets.get(h.name);
      const from = systemEntry(h.name, "before", "good");
      const to = systemEntry(h.name, "after", model.release);
      return [
        h.name,
        {
          from: target?.from ? { ...from, path: target.from } : from,
          to: target?.to ? { ...to, path: target.to } : to,
        },
      ];
    }),
  );
  const played: Plan = { ...plan, policy: { ...plan.policy, promote: "auto" } };
  const siteOf = new Map(hosts.map((h) => [h.name, h.site ?? ""]));
  const world = new World(scheduler, systems, siteOf, new Map(), {
    activation: model.activationMs,
    boot: model.bootMs,
    rebootDelay: 1_000,
    watchdog: 120_000,
  });
  const bytesOf = (host: string) => targets.get(host)?.closureBytes || model.bytesPerHost;
  const rateOf = (host: string) => {
    const uplink = inventory.sites[siteOf.get(host) ?? ""]?.uplink;
    const copies = uplink?.concurrentCopies ?? plan.limits.copyingPerSite;
    return (((uplink?.mbps ?? model.mbps) * 1e6) / 8 / copies) | 0;
  };
  const link = { latencyMs: model.latencyMs, cutBefore: 0, cutAfter: 0, hangs: 0 };
  const me = new Controller("forecast", plan.id, scheduler, new Random(1), 0);
  const driver = createModelDriver(world, me, { linkOf: () => link, copyRate: rateOf, bytesOf });
  const store = new MemoryStore();
  await store.create({
    id: plan.id,
    kind: "rollout",
    revision: plan.revision,
    state: "planned",
    operator: "forecast",
    createdAt: plan.createdAt,
    hosts: plan.hosts.length,
  });
  const [first] = await store.append(
    plan.id,
    0,
    [{ type: "plan", level: "info", msg: "", data: { plan: played } }],
    { now: plan.createdAt },
  );
  const never = new AbortController().signal;
  const score = new Score(first ? evolve(null, first) : null);
  let over = false;
  const playing = (async () => {
    const deps = {
      store,
      clock: me.clock,
      owner: me.name,
      commandPollMs: 3600_000,
      driver,
      hosts: new Map(hosts.map((h) => [h.name, h])),
      checks: () => [],
    };
    for await (const event of drive(plan.id, deps, { drain: never, abort: never })) score.add(event);
  })().finally(() => {
    over = true;
  });
  playing.catch(() => undefined);
  scheduler.after(0, () => undefined); // lets the controller come as far as its first wait
  while (!over && scheduler.now - plan.createdAt < LONGEST_MS && (await scheduler.step()));
  if (over) await playing;
  return score.result(plan, (host) => ({ site: siteOf.get(host) ?? "", bytes: bytesOf(host) }));
}

/** Reads a forecast out of the events of the rollout it played. */
class Score {
  #state: RolloutState | null;
  readonly #waves = new Map<number, { start: number; end: number }>();
  readonly #touched = new Set<string>();
  readonly #copied = new Set<string>();
  readonly #since = new Map<string, number>();
  #most = 0;
  #unavailableMs = 0;
  #last = 0;

  constructor(state: RolloutState | null) {
    this.#state = state;
  }

  add(event: FleetEvent): void {
    this.#state = evolve(this.#state, event);
    const at = Date.parse(event.ts);
    this.#last = at;
    if (event.type === "wave.start" && event.wave !== undefined)
      this.#waves.set(event.wave, { start: at, end: at });
    const wave = this.#waves.get(this.#state.wave);
    if (wave && (event.type === "wave.end" || event.type === "host.state")) wave.end = at;
    if (event.type !== "host.state" || event.host === undefined) return;
    const { to } = event.data;
    if (to === "staged") this.#copied.add(event.host);
    if (to === "activating" && !this.#since.has(event.host)) this.#since.set(event.host, at);
    if (to === "activating") this.#touched.add(event.host);
    const since = this.#since.get(event.host);
    if (since !== undefined && ["updated", "reverted", "failed", "drifted"].includes(to)) {
      this.#unavailableMs += at - since;
      this.#since.delete(event.host);
    }
    this.#most = Math.max(this.#most, this.#since.size);
  }

  result(
    plan: Plan,
    about: (host: string) => { readonly site: string; readonly bytes: number },
  ): RolloutForecast {
    const bytesPerSite: Record<string, number> = {};
    for (const host of this.#copied) {
      const { site, bytes } = about(host);
      bytesPerSite[site] = (bytesPerSite[site] ?? 0) + bytes;
    }
    const state = this.#state;
    return {
      durationMs: Math.max(0, this.#last - plan.createdAt),
      events: state?.lastSeq ?? 0,
      end: state?.status ?? "planned",
      reason: state?.detail ?? state?.reason ?? null,
      bytesPerSite,
      perWave: plan.waves.flatMap((w) => {
        const times = this.#waves.get(w.index);
        const { index, label } = w;
        return times
          ? [
              {
                index,
                label,
                hosts: w.hosts.length,
                startsMs: times.start - plan.createdAt,
                endsMs: times.end - plan.createdAt,
              },
            ]
          : [];
      }),
      hosts: plan.hosts.length,
      touched: this.#touched.size,
      updated: [...(state?.hosts.values() ?? [])].filter((h) => h.state === "updated").length,
      mostUnavailable: this.#most,
      unavailableMs: this.#unavailableMs,
    };
  }
}

export interface FleetForecast {
  readonly plan: Plan;
  /** Everything goes well. */
  readonly good: RolloutForecast;
  /** What a bad release costs under these settings: its health fails everywhere, or it cuts its hosts off. */
  readonly unhealthy: RolloutForecast;
  readonly cutOff: RolloutForecast;
}

export interface ForecastOptions {
  /** Milliseconds since the epoch: windows count from here. */
  readonly now: number;
  /** Hosts to roll out to; absent: every active NixOS host. */
  readonly hosts?: Inventory["hosts"];
  /** An existing plan instead of one made up for `hosts`. */
  readonly plan?: Plan;
  readonly model?: Partial<FleetModel>;
}

export async function forecast(inventory: Inventory, options: ForecastOptions): Promise<FleetForecast> {
  const model = { ...TYPICAL, ...options.model };
  const hosts = (options.hosts ?? inventory.hosts).filter(
    (h) => h.state === "active" && h.os === "nixos" && h.connect === "ssh",
  );
  const systems = new Map(
    hosts.map((h) => [
      h.name,
      { from: systemEntry(h.name, "before", "good"), to: systemEntry(h.name, "after", "good") },
    ]),
  );
  const made =
    options.plan ?? planFor(inventory, hosts, "forecast", systems, options.now, model.bytesPerHost);
  const plan = { ...made, createdAt: options.now };
  return {
    plan,
    good: await simulateRollout(plan, inventory, model),
    unhealthy: await simulateRollout(plan, inventory, { ...model, release: "bad-health" }),
    cutOff: await simulateRollout(plan, inventory, { ...model, release: "cuts-network" }),
  };
}
