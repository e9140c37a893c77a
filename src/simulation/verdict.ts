/** When everything has come to rest: does the journal tell the truth, and is every host where it may be? */
import { isDeepStrictEqual } from "node:util";
import { profilePath } from "../lab/machine/model.ts";
import { isAtRisk } from "../rollout/classes.ts";
import { type FleetEvent, FleetEvent as FleetEventSchema } from "../rollout/events.ts";
import { type RolloutState, replay } from "../rollout/state.ts";
import type { HostRecord } from "../store/store.ts";
import type { World } from "./world.ts";

/** A state as plain data, to be compared. */
export const plain = (state: RolloutState) => ({
  ...state,
  hosts: [...state.hosts.values()],
  targets: state.targets.size,
  accepted: [...state.accepted],
  plan: state.plan.id,
});

/** Journal against itself: places without gaps, events as documented, the same state however it is read. */
export function judgeJournal(events: readonly FleetEvent[], believed: RolloutState | null): string[] {
  const problems: string[] = [];
  events.forEach((event, i) => {
    if (event.seq !== i + 1) problems.push(`event ${i + 1} has seq ${event.seq}`);
    if (!FleetEventSchema.safeParse(event).success) problems.push(`event ${event.seq} is not as documented`);
  });
  const read = replay(events);
  if (believed && read && !isDeepStrictEqual(plain(read), plain(believed)))
    problems.push("replaying the journal gives another state than the controller had");
  return problems;
}

/** The runs that had a host, in the order in which they moved it last. */
type RunsOf = (host: string) => readonly RolloutState[];

/** Journals against machines: each of the runs that had a host takes it from where the one before left it. */
export function judgeHosts(world: World, runsOf: RunsOf): string[] {
  return world.hosts.flatMap((host) => {
    const place = expected(world, runsOf(host), host);
    return place ? judgeHost(world, host, place) : [];
  });
}

/** What is remembered of hosts against the journal of the run that moved each of them last. */
export function judgeRecords(
  world: World,
  runsOf: RunsOf,
  hasMoved: (host: string, run: string) => boolean,
  records: ReadonlyMap<string, HostRecord>,
): string[] {
  return world.hosts.flatMap((name) => {
    const run = runsOf(name).findLast(({ plan }) => hasMoved(name, plan.id));
    const host = run?.hosts.get(name);
    if (!run || !host) return [];
    const record = records.get(name);
    const to = run.targets.get(name)?.to;
    const wrong = (what: string) => [
      `${run.plan.id} left ${name} ${host.state}, but it is remembered ${what}`,
    ];
    switch (host.state) {
      case "updated":
        return record?.lastHealthy === to ? [] : wrong(`as healthy with ${record?.lastHealthy ?? "nothing"}`);
      case "skipped":
        // Found to have it after all when it was tried again; any other was passed over.
        return host.committed && record?.lastHealthy !== to ? wrong("as something else") : [];
      case "reverted":
        return record?.lastHealthy !== to || host.previous === to
          ? []
          : wrong("as healthy with what it left");
      case "deferred": {
        // What it could have been caught up to, and been found to run already.
        const { to: r2, next: r3 } = world.systems.get(name) ?? {};
        const current = world.machine(name).memory?.current;
        const caughtUp = current === r2?.path || current === r3?.path;
        return record?.owes || caughtUp || run.plan.kind === "rollback" ? [] : wrong("to owe nothing");
      }
      default:
        return [];
    }
  });
}

interface Expected {
  /** The run that had it last, and what its journal says. */
  readonly told: string;
  /** Systems it may run for good. */
  readonly systems: ReadonlySet<string>;
  /** A person knows that something is wrong with it. */
  readonly reported: boolean;
}

function expected(world: World, runs: readonly RolloutState[], name: string): Expected | null {
  let systems = new Set([world.systems.get(name)?.from.path ?? ""]);
  const every = new Set(systems);
  let told: string | null = null;
  let reported = false;
  for (const { plan, hosts, targets } of runs) {
    const [host, target] = [hosts.get(name), targets.get(name)];
    if (!host || !target) continue;
    told = `${plan.id} ${name} is ${host.state} in the journal`;
    every.add(target.to);
    switch (host.state) {
      case "updated":
        systems = new Set([target.to]);
        reported = false;
        break;
      case "reverted":
        systems = new Set([host.previous ?? [...systems][0] ?? ""]);
        reported = false;
        break;
      case "failed":
      case "unknown":
      case "drifted":
        reported = true;
        break;
      default:
        // Passed over; or tried again and not come far: what the attempt before it left behind stands.
        if (host.state === "skipped" || host.attempt > 1 || isAtRisk(host)) systems.add(target.to);
    }
  }
  return told === null ? null : { told, systems: reported ? every : systems, reported };
}

function judgeHost(world: World, name: string, { told, systems, reported }: Expected): string[] {
  const problems: string[] = [];
  const m = world.machine(name);
  const { from, to, next } = world.systems.get(name) ?? {};
  const profile = profilePath(m.disk);
  const at = (path: string) =>
    path === from?.path ? "r1" : path === to?.path ? "r2" : path === next?.path ? "r3" : path || "nothing";
  const state = `runs ${at(m.memory?.current ?? "")}, profile ${at(profile)}, phase ${m.disk.state?.phase ?? "none"}`;
  const say = (what: string) => problems.push(`${told}, but ${what} (${state})`);
  if (m.memory && (m.memory.timers.length > 0 || m.memory.jobs.length > 0))
    say("something is still armed there");
  if (m.memory && !systems.has(m.memory.current))
    say(`it runs neither of ${[...systems].map(at).join(", ")}`);
  if (reported) return problems;
  if (!systems.has(profile)) say(`its profile is not one of ${[...systems].map(at).join(", ")}`);
  if (m.memory && m.memory.current !== profile) say("it runs something else than its profile");
  return problems;
}
