/** `TO/bin/switch-to-configuration test`: the running system changes; profile and boot loader do not. [pure] */
import type { Machine } from "./model.ts";
import { withMemory } from "./model.ts";
import { journal, log } from "./record.ts";
import { LAB_UNIT } from "./system.ts";

/** `rc` as the real program: 0, 2 activation script failed, 4 units failed, 100 needs a reboot. */
export function switchSystem(
  m: Machine,
  run: string,
  to: string,
): { readonly machine: Machine; readonly rc: number } {
  const behaviour = m.disk.store[to]?.system?.behaviour;
  if (!m.memory || !behaviour) return { machine: log(m, run, `${to}: not a system`), rc: 127 };
  const unbootable = m.faults.includes("no-boot") && to !== m.lastBooted;
  if (behaviour === "needs-reboot" || behaviour === "no-boot" || unbootable) {
    return { machine: log(m, run, "lab: the init interface changed: cannot switch live"), rc: 100 };
  }
  const networkLost = m.memory.networkLost || m.faults.includes("drop-on-activate");
  const running = withMemory(log(m, run, "activating the configuration..."), { current: to, networkLost });
  if (behaviour === "activation-fails") {
    return { machine: log(running, run, "Activation script snippet 'lab' failed (1)"), rc: 2 };
  }
  if (behaviour === "bad-health" || m.faults.includes("bad-health")) {
    return {
      machine: log(failUnit(running), run, `warning: the following units failed: ${LAB_UNIT}`),
      rc: 4,
    };
  }
  const failedUnits = m.memory.failedUnits.filter((u) => u !== LAB_UNIT);
  const healthy = withMemory(running, { failedUnits });
  return { machine: log(healthy, run, `restarting the following units: ${LAB_UNIT}`), rc: 0 };
}

/** The lab's own service does not come up in the system that runs. */
export function failUnit(m: Machine): Machine {
  const before = m.memory?.failedUnits ?? [];
  const said = journal(
    m,
    `${LAB_UNIT}: simulated failure: the node does not answer on its port`,
    `${LAB_UNIT}: Main process exited, code=exited, status=1/FAILURE`,
    `${LAB_UNIT}: Failed with result 'exit-code'.`,
  );
  return withMemory(said, { failedUnits: before.includes(LAB_UNIT) ? before : [...before, LAB_UNIT] });
}
