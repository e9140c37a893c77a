/** Virtual time: everything that is due happens, in order, each at its own moment. [pure] */
import { endActivation, endRevert, judgeBoot, timeOut } from "./activation.ts";
import { type Job, type Machine, withMemory } from "./model.ts";
import { cutPower, restart, stepPower } from "./power.ts";
import { failUnit } from "./switch.ts";

/** When something happens next on its own; null: never. */
export function nextEvent(m: Machine): number | null {
  const due = [
    ...(m.memory?.jobs.map((j) => j.endsAt) ?? []),
    ...(m.memory?.timers.map((t) => t.firesAt) ?? []),
    ...(m.power.kind === "booting" ? [m.power.until] : []),
    ...(m.power.kind === "hung" && m.power.until !== null ? [m.power.until] : []),
  ];
  return due.length === 0 ? null : Math.min(...due);
}

/** The machine as it is at `now`. */
export function tick(m: Machine, now: number): Machine {
  let machine = m;
  for (let at = nextEvent(machine); at !== null && at <= now; at = nextEvent(machine)) {
    machine = step(machine, at);
  }
  return machine;
}

function step(m: Machine, at: number): Machine {
  const job = m.memory?.jobs.find((j) => j.endsAt <= at);
  if (job) return endJob(withMemory(m, { jobs: (m.memory?.jobs ?? []).filter((j) => j !== job) }), job, at);
  const timer = m.memory?.timers.find((t) => t.firesAt <= at);
  if (timer) return timeOut(m, timer.run, at);
  const next = stepPower(m, at) ?? m;
  return next.memory && !m.memory ? afterBoot(next, at) : next;
}

function endJob(m: Machine, job: Job, at: number): Machine {
  switch (job.kind) {
    case "activate":
      return endActivation(m, job.run, at);
    case "revert":
      return endRevert(m, job.run, at);
    case "reboot":
      return restart(m, at);
    case "poweroff":
      return cutPower(m);
  }
}

/** Units start, among them the guard of a run that asked for this boot. */
function afterBoot(m: Machine, at: number): Machine {
  const booted = m.disk.store[m.memory?.booted ?? ""]?.system;
  const broken = booted?.behaviour === "bad-health";
  return judgeBoot(broken ? failUnit(m) : m, at);
}
