/** Everything a seed decides beforehand: fleet, release, plans, how bad the links are, and how rough it gets. [pure] */
import { createHash } from "node:crypto";
import type { Inventory } from "../inventory/model.ts";
import type { Behaviour } from "../lab/machine/system.ts";
import { buildPlan } from "../plan/build.ts";
import type { Plan } from "../plan/model.ts";
import { withCrowd } from "./crowd.ts";
import { randomBehaviours, randomInventory, systemEntry } from "./fleet.ts";
import type { Intentions } from "./intentions.ts";
import { inLocalWindows } from "./local-windows.ts";
import type { Random } from "./random.ts";
import type { LinkModel, ModelSystems } from "./world.ts";

const START = Date.UTC(2026, 0, 5, 12);
/** Things go wrong within this time; longer where windows have to be waited for. */
const TROUBLE_MS = 6 * 60_000;

export interface Scenario {
  readonly start: number;
  readonly troubleMs: number;
  readonly inventory: Inventory;
  readonly plans: readonly Plan[];
  readonly behaviours: ReadonlyMap<string, Behaviour>;
  readonly systems: ReadonlyMap<string, ModelSystems>;
  readonly timing: { activation: number; boot: number; rebootDelay: number; watchdog: number };
  readonly links: ReadonlyMap<string, LinkModel>;
  /** Things that go wrong on purpose, 0 to 12. */
  readonly faults: number;
  /** Chance per append. */
  readonly dieBefore: number;
  readonly dieAfter: number;
  readonly answerLost: number;
  readonly clocksLie: boolean;
  readonly commands: number;
}

export const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

export function makeScenario(random: Random, { luck, windows, crowd, crowdLuck }: Intentions): Scenario {
  const few = randomInventory(random);
  const made = crowd > 0 ? withCrowd(few, crowd, crowdLuck) : few;
  const { inventory, start } = windows ? inLocalWindows(made, luck) : { inventory: made, start: START };
  const { hosts } = inventory;
  const behaviours = randomBehaviours(random, hosts);
  const later = randomBehaviours(luck, hosts);
  const systems = new Map(
    hosts.map((h) => [
      h.name,
      {
        from: systemEntry(h.name, "r1", "good"),
        to: systemEntry(h.name, "r2", behaviours.get(h.name) ?? "good"),
        next: systemEntry(h.name, "r3", later.get(h.name) ?? "good"),
      },
    ]),
  );
  const rough = random.pick([0, 0.01, 0.04]);
  const links = new Map(
    Object.keys(inventory.sites).map((site): [string, LinkModel] => [
      site,
      {
        latencyMs: random.pick([20, 80, 300, 2000]),
        cutBefore: rough * random.next(),
        cutAfter: rough * random.next(),
        hangs: rough * random.next() * 0.5,
      },
    ]),
  );
  const deadly = random.pick([0, 0, 0.005, 0.02]);
  const split = random.chance(0.2) && hosts.length > 3 ? random.int(1, hosts.length - 1) : hosts.length;
  const shuffled = hosts.map((h) => ({ h, at: random.next() })).sort((a, b) => a.at - b.at);
  const groups = [shuffled.slice(0, split), shuffled.slice(split)]
    .map((group) => group.map((x) => x.h))
    .filter((group) => group.length > 0);
  return {
    start,
    troubleMs: windows ? 5 * TROUBLE_MS : TROUBLE_MS,
    inventory,
    behaviours,
    systems,
    plans: groups.map((group, i) => planFor(inventory, group, `r-${i + 1}`, systems, start)),
    timing: {
      activation: random.int(500, 6000),
      boot: random.int(5, 25) * 1000,
      rebootDelay: 500,
      watchdog: 30_000,
    },
    links,
    faults: random.pick([0, 2, 4, 8, 12]),
    dieBefore: deadly * random.next(),
    dieAfter: deadly * random.next(),
    answerLost: deadly * random.next(),
    clocksLie: random.chance(0.25),
    commands: random.pick([0, 0, 1, 3]),
  };
}

export function planFor(
  inventory: Inventory,
  hosts: Inventory["hosts"],
  id: string,
  systems: ReadonlyMap<string, ModelSystems>,
  now: number,
  bytes?: number,
): Plan {
  return buildPlan({
    id,
    kind: "rollout",
    inventory,
    hosts,
    revision: "r2",
    now,
    known: new Map(
      hosts.map((h) => [h.name, { reachable: true, current: systems.get(h.name)?.from.path ?? null }]),
    ),
    targets: new Map(
      hosts.flatMap((h) => {
        const to = systems.get(h.name)?.to;
        return to ? [[h.name, { toplevel: to.path, size: bytes ?? to.size }]] : [];
      }),
    ),
    rank: (name) => digest(`r2 ${name}`),
    digest,
    force: false,
  });
}
