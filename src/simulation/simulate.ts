/** One seed: a fleet, a rollout, and everything that can go wrong with it, in virtual time. Deterministic. */
import { FleetError } from "../errors.ts";
import { nextEvent } from "../lab/machine/clock.ts";
import { drive } from "../rollout/engine.ts";
import type { FleetEvent } from "../rollout/events.ts";
import { rememberHosts } from "../rollout/remember.ts";
import type { Rules } from "../rollout/rules.ts";
import { type RolloutState, replay } from "../rollout/state.ts";
import { MemoryStore } from "../store/memory.ts";
import { Controller } from "./controller.ts";
import { schedule, TROUBLE_MS } from "./misfortune.ts";
import { createModelDriver } from "./model-driver.ts";
import { createModelStore } from "./model-store.ts";
import { answer, isOver, randomWord } from "./operator.ts";
import { Random } from "./random.ts";
import { makeScenario, START } from "./scenario.ts";
import { Scheduler } from "./scheduler.ts";
import { judgeHosts, judgeJournal } from "./verdict.ts";
import { Watch } from "./watch.ts";
import { type LinkModel, World } from "./world.ts";

export interface SimulationOptions {
  /** Replaced to see that the simulation notices. */
  readonly rules?: Rules;
  /** Told everything that happens, a line each. */
  readonly trace?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  /** Empty: every promise was kept. */
  readonly violations: readonly string[];
  /** How each run ended. */
  readonly ends: readonly string[];
  readonly events: number;
  readonly controllers: number;
  readonly virtualMs: number;
}

/** Every run is over by then, or never. */
const HORIZON_MS = 72 * 3600_000;
const MAX_STEPS = 400_000;
const MAX_DEATHS = 12;
const CALM: LinkModel = { latencyMs: 80, cutBefore: 0, cutAfter: 0, hangs: 0 };

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  const random = new Random(seed);
  const scenario = makeScenario(random);
  const scheduler = new Scheduler(START);
  const { inventory, plans } = scenario;
  const siteOf = new Map(inventory.hosts.map((h) => [h.name, h.site ?? ""]));
  const viaOf = new Map(
    inventory.hosts.flatMap((h) => (h.bastion === null ? [] : [[h.name, h.bastion] as const])),
  );
  const world = new World(scheduler, scenario.systems, siteOf, viaOf, scenario.timing);
  const watch = new Watch(world, new Map(plans.map((p) => [p.id, p])), scenario.clocksLie);
  const shared = new MemoryStore();
  const trace = (line: string) =>
    options.trace?.(`${((scheduler.now - START) / 1000).toFixed(1).padStart(8)} ${line}`);
  if (options.trace)
    world.watch((host, operation, p, before, after) => {
      const [was, is] = [before.disk.state, after.disk.state];
      if (is && is !== was && operation !== "check")
        trace(
          `  ${host} obeys ${operation} of ${p.RUN}/${p.ATTEMPT}: ${was?.phase ?? "nothing"} -> ${is.phase}`,
        );
    });
  let awayUntil = 0;
  let deaths = 0;
  let born = 0;
  const alive = new Set<Controller>();
  const over = new Set<string>();
  const ends: string[] = [];
  const calm = () => scheduler.now > START + TROUBLE_MS + 120_000;

  const die = (c: Controller) => {
    if (c.dead || deaths >= MAX_DEATHS) return;
    deaths++;
    c.dead = true;
    alive.delete(c);
    trace(`${c.name} dies`);
    wakeUp(c.run, random.int(1, 90) * 1000);
  };

  const deps = (c: Controller) => ({
    store: createModelStore(shared, c, {
      away: () => scheduler.now < awayUntil,
      fate: () => {
        if (deaths >= MAX_DEATHS) return "ok";
        const roll = random.next();
        if (roll < scenario.dieBefore) return "die-before";
        if (roll < scenario.dieBefore + scenario.dieAfter) return "die-after";
        return roll < scenario.dieBefore + scenario.dieAfter + scenario.answerLost ? "answer-lost" : "ok";
      },
      die,
    }),
    clock: c.clock,
    owner: c.name,
    commandPollMs: 4_000,
    hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
    checks: () => [],
    driver: createModelDriver(world, c, {
      linkOf: (host) => (calm() ? CALM : (scenario.links.get(siteOf.get(host) ?? "") ?? CALM)),
      heard: (host, healthy, activation) => watch.heard(host, healthy, activation),
    }),
    ...(options.rules ? { rules: options.rules } : {}),
  });

  async function live(c: Controller): Promise<void> {
    const signals = { drain: c.drain.signal, abort: c.leave.signal };
    const run = drive(c.run, deps(c), signals);
    try {
      for (;;) {
        const next = await run.next();
        if (c.dead) return;
        if (next.done) return ended(c, next.value);
        if (options.trace) trace(`${c.name} ${describe(next.value)}`);
      }
    } catch (error) {
      if (c.dead) return;
      alive.delete(c);
      trace(`${c.name} gives up: ${error instanceof Error ? error.message : error}`);
      if (!(error instanceof FleetError) && !c.leave.signal.aborted)
        watch.violate(`${c.name} failed: ${error instanceof Error ? error.stack : error}`);
      wakeUp(c.run, random.int(5, 30) * 1000);
    }
  }

  async function ended(c: Controller, state: RolloutState): Promise<void> {
    alive.delete(c);
    const events = await shared.events(c.run);
    // Another controller may have begun since the lease was given back.
    const whole = events.length === state.lastSeq ? state : null;
    for (const problem of judgeJournal(events, whole)) watch.violate(problem);
    await rememberHosts(shared, state, c.clock.now());
    trace(`${c.name} ends: ${state.status} ${state.reason ?? ""}`);
    if (isOver(state.status)) {
      over.add(c.run);
      ends.push(state.status);
    } else wakeUp(c.run, random.int(1, 60) * 1000);
  }

  const answers = new Map<string, number>();
  /** After `ms` somebody looks at the run and starts a controller, unless one is there. */
  function wakeUp(run: string, ms: number): void {
    scheduler.after(ms, () => {
      if (over.has(run) || [...alive].some((c) => c.run === run)) return;
      void (async () => {
        const state = replay(await shared.events(run));
        const driven = await shared.holder(`run:${run}`, scheduler.now);
        if (state?.status === "paused" && !driven) {
          const n = (answers.get(run) ?? 0) + 1;
          answers.set(run, n);
          const word = answer(state, n, random);
          trace(`operator says ${word.command}`);
          await shared.submit(run, word);
        }
        start(run);
      })();
    });
  }

  function start(run: string): void {
    const offset = scenario.clocksLie ? random.int(-300, 300) * 1000 : 0;
    const c = new Controller(`c${++born}`, run, scheduler, random, offset);
    alive.add(c);
    trace(`${c.name} starts ${run}, clock off by ${offset / 1000} s`);
    void live(c);
  }

  for (const plan of plans) {
    await shared.create({
      id: plan.id,
      kind: "rollout",
      revision: plan.revision,
      state: "planned",
      operator: "sim",
      createdAt: START,
      hosts: plan.hosts.length,
    });
    const msg = "planned";
    await shared.append(plan.id, 0, [{ type: "plan", level: "info", msg, data: { plan } }], { now: START });
    start(plan.id);
  }
  schedule(
    {
      world,
      sites: Object.keys(inventory.sites),
      clocksLie: scenario.clocksLie,
      controllers: () => [...alive].sort((a, b) => (a.name < b.name ? -1 : 1)),
      die,
      rival: () => {
        const run = random.pick(plans).id;
        if (!over.has(run)) start(run);
      },
      storeAway: (ms) => {
        trace(`store away for ${ms / 1000} s`);
        awayUntil = Math.max(awayUntil, scheduler.now + ms);
      },
      note: trace,
    },
    random,
    scenario.faults,
  );
  for (let i = 0; i < scenario.commands; i++) {
    scheduler.after(random.int(0, TROUBLE_MS), () => {
      const run = random.pick(plans).id;
      if (over.has(run)) return;
      const word = randomWord(random);
      trace(`somebody says ${word.command} to ${run}`);
      void shared.submit(run, word);
    });
  }

  let steps = 0;
  while (over.size < plans.length && watch.violations.length === 0) {
    if (++steps > MAX_STEPS || scheduler.now > START + HORIZON_MS) {
      watch.violate(
        `not over after ${(scheduler.now - START) / 1000} s: ${plans.map((p) => p.id).filter((id) => !over.has(id))}`,
      );
      break;
    }
    if (!(await scheduler.step())) {
      watch.violate("nothing is due any more, and the run is not over");
      break;
    }
  }
  const virtualMs = scheduler.now - START;
  // Calm: whatever was armed fires, whatever was off comes back.
  const rest = scheduler.now + 30 * 60_000;
  while (watch.violations.length === 0 && scheduler.now < rest) {
    scheduler.at(rest, () => undefined);
    await scheduler.step();
  }
  let events = 0;
  for (const plan of plans) {
    const journal: readonly FleetEvent[] = await shared.events(plan.id);
    events += journal.length;
    const state = replay(journal);
    if (!state || watch.violations.length > 0) continue;
    for (const problem of [...judgeJournal(journal, null), ...judgeHosts(world, state)])
      watch.violate(problem);
  }
  for (const host of world.hosts) {
    if (nextEvent(world.machine(host)) !== null && watch.violations.length === 0)
      watch.violate(`${host} does not come to rest`);
  }
  for (const violation of watch.violations) trace(`VIOLATED ${violation}`);
  return { seed, violations: watch.violations, ends, events, controllers: born, virtualMs };
}

function describe(event: FleetEvent): string {
  const who = event.host === undefined ? "" : `${event.host}/${event.attempt} `;
  const move =
    event.type === "host.state" || event.type === "rollout.state"
      ? `${event.data.from} -> ${event.data.to} `
      : "";
  return `${event.seq} ${event.rollout} ${event.type} ${who}${move}${event.msg}`;
}
