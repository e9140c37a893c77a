/** When everything has come to rest: does the journal tell the truth, and is every host where it may be? */
import { isDeepStrictEqual } from "node:util";
import { profilePath } from "../lab/machine/model.ts";
import { type FleetEvent, FleetEvent as FleetEventSchema } from "../rollout/events.ts";
import { type RolloutState, replay } from "../rollout/state.ts";
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

/** Journal against machines. */
export function judgeHosts(world: World, state: RolloutState): string[] {
  const problems: string[] = [];
  for (const host of state.hosts.values()) {
    const m = world.machine(host.name);
    const systems = world.systems.get(host.name);
    if (!systems) continue;
    const profile = profilePath(m.disk);
    const [from, to] = [systems.from.path, systems.to.path];
    const at = (path: string) => (path === from ? "from" : path === to ? "to" : path || "nothing");
    const say = (what: string) =>
      problems.push(
        `${state.plan.id} ${host.name} is ${host.state} in the journal, but ${what} (runs ${at(m.memory?.current ?? "")}, profile ${at(profile)}, phase ${m.disk.state?.phase ?? "none"})`,
      );
    if (m.memory && (m.memory.timers.length > 0 || m.memory.jobs.length > 0))
      say("something is still armed there");
    if (m.memory && m.memory.current !== from && m.memory.current !== to) say("it runs neither system");
    const reported = ["failed", "unknown", "drifted"].includes(host.state);
    if (reported) continue;
    const shall = host.state === "updated" || (host.state === "skipped" && profile === to) ? to : from;
    // Tried again and not come far: what the attempt before it left behind stands, and the host catches up later.
    const either =
      host.attempt > 1 && host.state !== "updated" && host.state !== "reverted" && profile === to;
    if (either && m.memory?.current === to) continue;
    if (profile !== shall) say(`its profile is not ${at(shall)}`);
    if (m.memory && m.memory.current !== shall) say(`it does not run ${at(shall)}`);
  }
  return problems;
}
