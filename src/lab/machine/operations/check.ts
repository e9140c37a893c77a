/** check: the verdicts of health checks, and contact that puts the revert off. [pure] */
import type { CheckResult } from "../../../host/protocol.ts";
import { putOff } from "../activation.ts";
import { bootId, type Machine } from "../model.ts";
import { freeBytes } from "../store.ts";
import { LAB_UNIT } from "../system.ts";
import { checkFence, needNumber, needRun, type Operation, type Parameters, said } from "./operation.ts";

const words = (text: string | undefined): readonly string[] =>
  (text ?? "").split(/[\s,]+/).filter((w) => w !== "");

function contact(m: Machine, p: Parameters, now: number): Machine {
  if (!p.RUN) return m;
  const run = needRun(p);
  checkFence(m, p);
  const state = m.disk.state;
  const known = m.memory?.runs[run];
  const open = state?.phase === "activating" || state?.phase === "activated";
  if (!known || !open || state.rollout !== run || state.bootId !== bootId(m)) return m;
  return putOff(m, run, known.confirmMs, now);
}

/** A lab host has one service; checks of answers, peers and commands ask whether it runs. */
function judge(m: Machine, p: Parameters, n: number): CheckResult {
  const option = (name: string) => p[`CHECK_${n}_${name}`];
  const type = option("TYPE") ?? "";
  const named = { name: option("NAME") ?? type, type };
  if (m.faults.includes("not-ready")) return { ...named, status: "retry", message: "not now (lab)" };
  const failed = m.memory?.failedUnits ?? [];
  if (type === "systemd") {
    const ignored = [...words(p.BASELINE), ...words(option("IGNORE"))];
    const fresh = failed.filter((u) => !ignored.includes(u));
    if (fresh.length > 0) return { ...named, status: "failed", message: `failed units: ${fresh.join(" ")}` };
    const inactive = words(option("UNITS")).find((u) => failed.includes(u));
    return inactive
      ? { ...named, status: "failed", message: `${inactive} is failed` }
      : { ...named, status: "ok", message: "no newly failed units (lab)" };
  }
  if (type === "disk") {
    const free = Math.floor(freeBytes(m) / 2 ** 20);
    const need = Math.floor(Number(option("MINKIB") ?? 0) / 1024);
    const where = option("PATHNAME") ?? "/nix/store";
    return free > 0 && free >= need
      ? { ...named, status: "ok", message: `${free} MiB free at ${where} (lab)` }
      : { ...named, status: "failed", message: `${free} MiB free at ${where}, ${need} MiB needed` };
  }
  if (type === "time") return { ...named, status: "ok", message: "clock synchronized (lab)" };
  return failed.includes(LAB_UNIT)
    ? { ...named, status: "failed", message: `${LAB_UNIT} does not answer (lab)` }
    : { ...named, status: "ok", message: "simulated (lab)" };
}

export const check: Operation = (m, p, now) => {
  const count = needNumber(p, "CHECK_COUNT", 0);
  const machine = contact(m, p, now);
  const results = Array.from({ length: count }, (_, i) => judge(machine, p, i + 1));
  return said(machine, { schema: 1, results });
};
