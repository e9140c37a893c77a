/** One seed: a fleet, rollouts, the people around them, and everything that can go wrong, in virtual time. Deterministic. */
import { nextEvent } from "../lab/machine/clock.ts";
import type { FleetEvent } from "../rollout/events.ts";
import type { Rules } from "../rollout/rules.ts";
import { type RolloutState, replay } from "../rollout/state.ts";
import { Caretakers } from "./caretakers.ts";
import type { Counts } from "./counts.ts";
import { intentionsOf } from "./intentions.ts";
import { JournalStore } from "./journal-store.ts";
import { schedule, type Targets } from "./misfortune.ts";
import { randomWord } from "./operator.ts";
import { People } from "./people.ts";
import { Random } from "./random.ts";
import { scheduleObjections, scheduleRefusals } from "./refusals.ts";
import { Runs, type Stage } from "./runs.ts";
import { makeScenario } from "./scenario.ts";
import { Scheduler } from "./scheduler.ts";
import { judgeHosts, judgeJournal, judgeRecords } from "./verdict.ts";
import { Watch } from "./watch.ts";
import { World } from "./world.ts";

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
  /** What really happened, so that no promise is kept for want of an occasion. */
  readonly counts: Counts;
}

const DAY_MS = 24 * 3600_000;
const MAX_STEPS = 800_000;

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  const random = new Random(seed);
  const wish = intentionsOf(seed);
  const scenario = makeScenario(random, wish);
  const { inventory, plans, start } = scenario;
  const scheduler = new Scheduler(start);
  const siteOf = new Map(inventory.hosts.map((h) => [h.name, h.site ?? ""]));
  const viaOf = new Map(
    inventory.hosts.flatMap((h) => (h.bastion === null ? [] : [[h.name, h.bastion] as const])),
  );
  const world = new World(scheduler, scenario.systems, siteOf, viaOf, scenario.timing);
  const watch = new Watch(world, scenario.clocksLie);
  const shared = new JournalStore((run, events) => {
    watch.journals.read(run, events);
    for (const event of events) {
      if (event.type === "plan") runs.add(run);
      if (event.type === "rollout.state" && event.data.to === "superseded") runs.close(run);
    }
  });
  const trace = (line: string) =>
    options.trace?.(`${((scheduler.now - start) / 1000).toFixed(1).padStart(8)} ${line}`);
  const stage: Stage = { scenario, world, watch, shared, random, options, trace };
  const runs = new Runs(stage);
  if (wish.crowd > 0) watch.counter.add("crowds");
  if (options.trace) traceHosts(world, trace);

  for (const plan of plans) {
    await shared.create({
      id: plan.id,
      kind: "rollout",
      revision: plan.revision,
      state: "planned",
      operator: "sim",
      createdAt: start,
      hosts: plan.hosts.length,
    });
    const msg = "planned";
    await shared.append(plan.id, 0, [{ type: "plan", level: "info", msg, data: { plan } }], { now: start });
    runs.start(plan.id);
  }
  const targets: Targets = {
    world,
    sites: Object.keys(inventory.sites),
    clocksLie: scenario.clocksLie,
    troubleMs: scenario.troubleMs,
    controllers: () => runs.controllers,
    die: runs.die,
    rival: () => {
      const run = random.pick(plans).id;
      if (!runs.isOver(run)) runs.start(run);
    },
    storeAway: (ms) => {
      trace(`store away for ${ms / 1000} s`);
      runs.storeAway(ms);
    },
    note: trace,
  };
  schedule(targets, random, scenario.faults);
  for (let i = 0; i < scenario.commands; i++) {
    scheduler.after(random.int(0, scenario.troubleMs), () => {
      const run = random.pick(plans).id;
      if (runs.isOver(run)) return;
      const word = randomWord(random);
      trace(`somebody says ${word.command} to ${run}`);
      void shared.submit(run, word);
    });
  }
  scheduleRefusals(targets, wish.luck, wish.refusals);
  scheduleObjections(targets, wish.ownersLuck, wish.objections);
  const people = new People(stage, runs, wish);
  const caretakers = new Caretakers(stage, runs, wish);
  runs.ended = (state) => {
    people.sees(state);
    caretakers.sees(state);
  };

  /** Every run is over by then, or never: a wave may have to wait for tomorrow's windows, and the next one again. */
  const horizon = start + (wish.windows ? 7 : 3) * DAY_MS;
  let steps = 0;
  while ((runs.open.length > 0 || people.busy + caretakers.busy > 0) && watch.violations.length === 0) {
    if (++steps > MAX_STEPS || scheduler.now > horizon) {
      watch.violate(`not over after ${(scheduler.now - start) / 1000} s: ${runs.open.join(" ")}`);
      break;
    }
    if (!(await scheduler.step())) {
      watch.violate("nothing is due any more, and the run is not over");
      break;
    }
  }
  const virtualMs = scheduler.now - start;
  // Calm: whatever was armed fires, whatever was off comes back.
  const rest = Math.max(scheduler.now, start + scenario.troubleMs) + 30 * 60_000;
  while (watch.violations.length === 0 && scheduler.now < rest) {
    scheduler.at(rest, () => undefined);
    await scheduler.step();
  }
  let events = 0;
  const states: RolloutState[] = [];
  for (const id of runs.ids) {
    const journal: readonly FleetEvent[] = await shared.events(id);
    events += journal.length;
    if (watch.violations.length === 0)
      for (const problem of judgeJournal(journal, null)) watch.violate(problem);
    const state = replay(journal);
    if (state) states.push(state);
  }
  const { inOrder, hasMoved } = watch.journals;
  const order = new Map(world.hosts.map((host) => [host, inOrder(host, states)]));
  const runsOf = (host: string) => order.get(host) ?? [];
  const records = await shared.hosts();
  if (watch.violations.length === 0) for (const problem of judgeHosts(world, runsOf)) watch.violate(problem);
  if (watch.violations.length === 0)
    for (const problem of judgeRecords(world, runsOf, hasMoved, records)) watch.violate(problem);
  for (const host of world.hosts) {
    if (nextEvent(world.machine(host)) !== null && watch.violations.length === 0)
      watch.violate(`${host} does not come to rest`);
  }
  for (const violation of watch.violations) trace(`VIOLATED ${violation}`);
  return {
    seed,
    violations: watch.violations,
    ends: states.map((s) => s.status),
    events,
    controllers: runs.born,
    virtualMs,
    counts: watch.counter.counts,
  };
}

function traceHosts(world: World, trace: (line: string) => void): void {
  world.watch((host, operation, p, before, after) => {
    const [was, is] = [before.disk.state, after.disk.state];
    if (is && is !== was && operation !== "check")
      trace(
        `  ${host} obeys ${operation} of ${p.RUN}/${p.ATTEMPT}: ${was?.phase ?? "nothing"} -> ${is.phase}`,
      );
  });
}
