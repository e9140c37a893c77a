/**
 * What the units `macula-fleet-<run>-activate`, `-revert` and `-boot` do, i.e. supervise.sh, restore.sh, boot.sh and
 * finish.sh, and what state.json says afterwards. What is allowed to begin is decided in `operations/`. [pure]
 */
import type { HostStateFile } from "../../host/protocol.ts";
import {
  bootId,
  type Job,
  type Machine,
  profilePath,
  type Run,
  type Timer,
  withDisk,
  withMemory,
} from "./model.ts";
import { restart } from "./power.ts";
import { setProfile } from "./profile.ts";
import { log, saveEvidence } from "./record.ts";
import { switchSystem } from "./switch.ts";

const unitName = (run: string, what: string): string => `macula-fleet-${run}-${what}`;

const write = (m: Machine, change: Partial<HostStateFile>): Machine =>
  m.disk.state ? withDisk(m, { state: { ...m.disk.state, ...change } }) : m;

/** `mine` of programs.sh: is state.json still about this run's attempt? */
export const isMine = (m: Machine, run: Pick<Run, "run" | "attempt">): boolean =>
  m.disk.state?.rollout === run.run && m.disk.state.attempt === run.attempt;

export const hasJob = (m: Machine, run: string, kind: "activate" | "revert"): boolean =>
  m.memory?.jobs.some((j) => j.run === run && j.kind === kind) ?? false;

export const hasTimer = (m: Machine, run: string): boolean =>
  m.memory?.timers.some((t) => t.run === run) ?? false;

/** Units of runs other than `run` that are doing something. */
export function otherRuns(m: Machine, run: string): readonly string[] {
  const units = [...(m.memory?.jobs ?? []), ...(m.memory?.timers ?? [])];
  return units.filter((u) => u.run !== run && u.run !== "").map((u) => u.unit);
}

export function putOff(m: Machine, run: string, ms: number, now: number): Machine {
  const timers = m.memory?.timers ?? [];
  return withMemory(m, { timers: timers.map((t) => (t.run === run ? { ...t, firesAt: now + ms } : t)) });
}

export function arm(m: Machine, run: string, ms: number, now: number): Machine {
  const timer: Timer = { unit: unitName(run, "revert.timer"), run, firesAt: now + ms };
  return withMemory(m, { timers: [...(m.memory?.timers ?? []).filter((t) => t.run !== run), timer] });
}

export const disarm = (m: Machine, run: string): Machine =>
  withMemory(m, { timers: (m.memory?.timers ?? []).filter((t) => t.run !== run) });

function startJob(m: Machine, run: string, kind: Job["kind"], endsAt: number): Machine {
  const job = { unit: unitName(run, `${kind}.service`), run, kind, endsAt };
  return withMemory(m, { jobs: [...(m.memory?.jobs ?? []), job] });
}

export const startActivation = (m: Machine, run: string, now: number): Machine =>
  startJob(m, run, "activate", now + m.timing.activation);

export const scheduleReboot = (m: Machine, run: string, now: number): Machine =>
  startJob(m, run, "reboot", now + m.timing.rebootDelay);

export const schedulePowerOff = (m: Machine, now: number): Machine =>
  startJob(m, "", "poweroff", now + m.timing.rebootDelay);

/** Starts the way back. What activates right now is killed. */
export function goBack(m: Machine, run: string, reason: string, now: number): Machine {
  if (!m.disk.state || !m.memory || hasJob(m, run, "revert")) return m;
  const reverting = write(m, { phase: "reverting", reason, bootId: bootId(m) });
  const kept = saveEvidence(
    log(reverting, run, `macula-fleet: going back to ${m.disk.state.from}: ${reason}`),
    run,
  );
  const jobs = m.memory.jobs.filter((j) => j.run !== run);
  return startJob(withMemory(disarm(kept, run), { jobs }), run, "revert", now + m.timing.activation);
}

/** The timer of a run fires: nobody was in contact for too long. */
export function timeOut(m: Machine, run: string, now: number): Machine {
  const phase = m.disk.state?.rollout === run ? m.disk.state.phase : "committed";
  const over = phase === "committed" || phase === "reverted" || phase === "revert-failed";
  return over ? disarm(m, run) : goBack(m, run, "timeout", now);
}

/** The end of the activation unit: supervise.sh. */
export function endActivation(m: Machine, runName: string, now: number): Machine {
  const run = m.memory?.runs[runName];
  if (!run || !isMine(m, run) || m.disk.state?.phase !== "activating") return m;
  if (m.disk.state.mode === "boot") return bootInto(m, run, null, now);
  const { machine: switched, rc } = switchSystem(m, runName, run.to);
  const machine = log(switched, runName, `macula-fleet: switch-to-configuration test: exit ${rc}`);
  if (rc === 100) return bootInto(machine, run, rc, now);
  const baseline = m.disk.state.baselineFailed;
  const fresh = (machine.memory?.failedUnits ?? []).filter(
    (u) => !baseline.includes(u) && !run.ignoreUnits.includes(u),
  );
  if (rc === 0 || (rc === 4 && fresh.length === 0)) return write(machine, { phase: "activated", rc });
  const said = rc === 4 ? log(machine, runName, `macula-fleet: newly failed: ${fresh.join(" ")}`) : machine;
  return goBack(write(said, { rc }), runName, "activation", now);
}

function bootInto(m: Machine, run: Run, rc: number | null, now: number): Machine {
  if (!run.mayReboot) {
    const said = log(m, run.run, "macula-fleet: this system needs a reboot, which is not allowed");
    return goBack(write(said, { rc }), run.run, "activation", now);
  }
  const set = withDisk(disarm(write(m, { mode: "boot" }), run.run), { guard: run, bootOnce: run.to });
  return scheduleReboot(log(set, run.run, `macula-fleet: rebooting into ${run.to}, once`), run.run, now);
}

/** boot.sh, in whatever came up after a reboot that a run asked for. */
export function judgeBoot(m: Machine, now: number): Machine {
  const run = m.disk.guard;
  const state = m.disk.state;
  if (!run || !m.memory) return m;
  const unguarded = withDisk(m, { guard: null });
  if (!state || !isMine(m, run) || state.phase === "committed") return unguarded;
  const id = bootId(m);
  if (m.memory.current === run.to && state.phase === "activating") {
    const up = withMemory(log(m, run.run, `macula-fleet: up on ${run.to}, not confirmed`), {
      runs: { [run.run]: run },
    });
    return write(arm(up, run.run, run.confirmMs, now), { phase: "activated", rc: 0, bootId: id });
  }
  const failed = m.memory.current === run.to;
  const verdict: Partial<HostStateFile> = failed
    ? { phase: "revert-failed" }
    : { phase: "reverted", reason: state.reason ?? "boot" };
  return write(log(unguarded, run.run, `macula-fleet: up on ${m.memory.current}`), {
    ...verdict,
    bootId: id,
  });
}

/** The end of the revert unit: restore.sh. */
export function endRevert(m: Machine, runName: string, now: number): Machine {
  const state = m.disk.state;
  if (!state || !m.memory || state.rollout !== runName) return m;
  const { from, to } = state;
  if (!m.disk.store[from]) return write(m, { phase: "revert-failed" });
  const moved = profilePath(m.disk) === to && to !== from;
  const back = moved ? withDisk(setProfile(m, from, now), { bootDefault: from }) : m;
  if (state.mode === "boot" && m.memory.booted === to && back.disk.bootDefault === from) {
    const run = m.memory.runs[runName] ?? null;
    const said = log(
      withDisk(back, { bootOnce: "", guard: run }),
      runName,
      `macula-fleet: rebooting into ${from}`,
    );
    return restart(said, now);
  }
  const running = withMemory(withDisk(back, { guard: null, bootOnce: "" }), {
    current: from,
    networkLost: false,
    failedUnits: state.baselineFailed,
  });
  const said = log(running, runName, `macula-fleet: back on ${from} (${state.reason})`);
  return write(said, { phase: "reverted", bootId: bootId(m) });
}

/** finish.sh: profile and boot default become `to`, the way back is disarmed. */
export function commitSystem(m: Machine, now: number): Machine {
  const state = m.disk.state;
  if (!state) return m;
  const before = profilePath(m.disk);
  const roots = {
    ...m.disk.roots,
    ...(before !== "" && before !== state.to ? { "previous-healthy": before } : {}),
    "last-healthy": state.to,
  };
  const set = withDisk(setProfile(m, state.to, now), { bootDefault: state.to, guard: null, roots });
  const said = log(set, state.rollout, `macula-fleet: commit: profile and boot default are ${state.to}`);
  return write(disarm(said, state.rollout), { phase: "committed", bootId: bootId(m) });
}
