/** activate, commit, revert: what is allowed to begin. What then happens is in `../activation.ts`. [pure] */
import {
  arm,
  commitSystem,
  disarm,
  goBack,
  hasJob,
  hasTimer,
  isMine,
  otherRuns,
  startActivation,
} from "../activation.ts";
import { bootId, holds, type Machine, type Run, withDisk, withMemory } from "../model.ts";
import {
  checkFence,
  did,
  needNumber,
  needRun,
  needSystem,
  type Operation,
  type Parameters,
  Refused,
} from "./operation.ts";

const isSystem = (m: Machine, path: string): boolean => m.disk.store[path]?.system !== undefined;

function checkHolds(m: Machine, now: number): void {
  const { hold, lock } = m.disk;
  if (hold && holds(hold, now)) throw new Refused("held", `held by ${hold.by}: ${hold.reason}`);
  if (lock) throw new Refused("held", `locked by ${lock.by}: ${lock.reason}`);
}

/** In the lab there is one program, and what it says is data. */
const PROGRAM = "50-owner";

function askOwners(m: Machine, now: number): void {
  const no = m.disk.consent ?? (m.faults.includes("no-consent") ? { reason: "lab fault", until: 0 } : null);
  if (no === null) return;
  const left = no.broken ? 0 : Math.ceil(no.until - now / 1000);
  const answer = {
    schema: 1,
    by: PROGRAM,
    reason: no.broken ? "failed" : no.reason,
    askAgainIn: left > 0 ? left : null,
  };
  if (no.broken)
    throw new Refused("notNow", `its owner's program ${PROGRAM} failed (exit 1): ${no.reason}`, answer);
  const end =
    left > 0 ? `, until ${new Date(no.until * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC` : "";
  throw new Refused("notNow", `not now: ${no.reason} (${PROGRAM})${end}`, answer);
}

function runOf(p: Parameters): Run {
  return {
    run: needRun(p),
    attempt: needNumber(p, "ATTEMPT"),
    from: needSystem(p, "FROM"),
    to: needSystem(p, "TO"),
    confirmMs: needNumber(p, "CONFIRM_TIMEOUT") * 1000,
    mayReboot: (p.MAY_REBOOT ?? "") !== "",
    ignoreUnits: (p.IGNORE_UNITS ?? "").split(/\s+/).filter((u) => u !== ""),
  };
}

export const activate: Operation = (m, p, now) => {
  const run = runOf(p);
  const fence = checkFence(m, p);
  const mode = p.MODE || "test";
  if (mode !== "test" && mode !== "boot") throw new Refused("usage", `not a mode: ${mode}`);
  const state = m.disk.state;
  if (state && isMine(m, run)) {
    if (state.to !== run.to)
      throw new Refused("moved", `attempt ${run.attempt} of ${run.run} is about ${state.to}`);
    return did(m, "already");
  }
  checkHolds(m, now);
  const busy = otherRuns(m, run.run)[0] ?? otherRuns(m, "")[0];
  if (busy) throw new Refused("busy", `${busy} is active`);
  const current = m.memory?.current ?? "";
  if (current !== run.from) throw new Refused("moved", `this host runs ${current}, not ${run.from}`);
  if (!m.disk.store[run.from] || !isSystem(m, run.to)) {
    throw new Refused("incomplete", `${run.to} is not complete in this store`);
  }
  if ((p.IGNORE_CONSENT ?? "") === "") askOwners(m, now);
  const recorded = withDisk(m, {
    roots: { ...m.disk.roots, [`${run.run}-from`]: run.from, [`${run.run}-to`]: run.to },
    state: {
      schema: 1,
      rollout: run.run,
      attempt: run.attempt,
      fence,
      from: run.from,
      to: run.to,
      mode,
      phase: "activating",
      rc: null,
      reason: null,
      bootId: bootId(m),
      baselineFailed: [...(m.memory?.failedUnits ?? [])],
    },
    evidence: Object.fromEntries(Object.entries(m.disk.evidence).filter(([name]) => name !== run.run)),
  });
  const armed = arm(recorded, run.run, run.confirmMs, now);
  const noted = withMemory(armed, { runs: { ...armed.memory?.runs, [run.run]: run } });
  return did(startActivation(noted, run.run, now), "started");
};

export const commit: Operation = (m, p, now) => {
  const run = { run: needRun(p), attempt: needNumber(p, "ATTEMPT") };
  const to = needSystem(p, "TO");
  needSystem(p, "FROM");
  const state = m.disk.state;
  if (!state) throw new Refused("unknown", "this host took part in no activation");
  const fence = checkFence(m, p);
  if (!isMine(m, run) || state.to !== to) {
    throw new Refused("unknown", `the last activation here was attempt ${state.attempt} of ${state.rollout}`);
  }
  switch (state.phase) {
    case "committed":
      return did(disarm(m, run.run), "already");
    case "activating":
      throw new Refused("busy", "the activation has not ended");
    case "activated":
      break;
    default:
      throw new Refused("wentBack", `the host went back to ${state.from} (${state.reason ?? "unknown"})`);
  }
  if (m.memory?.current !== to) throw new Refused("moved", `this host runs ${m.memory?.current}, not ${to}`);
  return did(commitSystem(withDisk(m, { state: { ...state, fence } }), now), "committed");
};

export const revert: Operation = (m, p, now) => {
  const run = runOf({ CONFIRM_TIMEOUT: "60", ...p });
  const reason = p.REASON || "operator";
  if (!/^[a-z-]+$/.test(reason)) throw new Refused("usage", `not a reason: ${reason}`);
  const state = m.disk.state;
  if (!state) throw new Refused("unknown", "this host took part in no activation");
  const fence = checkFence(m, p);
  if (!isMine(m, run)) {
    throw new Refused("unknown", `the last activation here was attempt ${state.attempt} of ${state.rollout}`);
  }
  if (state.from !== run.from || state.to !== run.to) {
    const went = `attempt ${run.attempt} of ${run.run} went from ${state.from} to ${state.to}`;
    throw new Refused("unknown", went);
  }
  if (state.phase === "reverted" || hasJob(m, run.run, "revert")) return did(m, "already");
  if (!isSystem(m, run.from)) throw new Refused("incomplete", `${run.from} is not complete in this store`);
  const fenced = withDisk(m, { state: { ...state, fence } });
  const noted = withMemory(fenced, { runs: { ...fenced.memory?.runs, [run.run]: run } });
  return did(goBack(noted, run.run, reason, now), "started");
};

export const release: Operation = (m, p) => {
  const run = needRun(p);
  checkFence(m, p);
  const active = hasJob(m, run, "activate") || hasJob(m, run, "revert") || hasTimer(m, run);
  if (active) throw new Refused("busy", `a unit of ${run} is active`);
  const state = m.disk.state;
  if (state?.rollout === run && state.phase === "activating" && state.mode === "boot") {
    throw new Refused("busy", "a reboot of this run is under way");
  }
  const roots = Object.entries(m.disk.roots).filter(
    ([name]) => name !== `${run}-from` && name !== `${run}-to`,
  );
  const runs = Object.entries(m.memory?.runs ?? {}).filter(([name]) => name !== run);
  const released = withDisk(m, { roots: Object.fromEntries(roots), guard: null });
  return did(withMemory(released, { runs: Object.fromEntries(runs) }), "released");
};
