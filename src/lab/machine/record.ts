/** What a machine writes down: activation logs, the journal, evidence. [pure] */
import type { Machine } from "./model.ts";
import { withDisk, withMemory } from "./model.ts";

/** Appends to `/var/log/macula-fleet/<run>.log`. */
export function log(m: Machine, run: string, ...lines: readonly string[]): Machine {
  const before = m.disk.logs[run] ?? [];
  return withDisk(m, { logs: { ...m.disk.logs, [run]: [...before, ...lines].slice(-500) } });
}

export const journal = (m: Machine, ...lines: readonly string[]): Machine =>
  withMemory(m, { journal: [...(m.memory?.journal ?? []), ...lines].slice(-200) });

/** Before a revert changes what there is to see. */
export function saveEvidence(m: Machine, run: string): Machine {
  if (!m.memory) return m;
  const { failedUnits } = m.memory;
  const lines = m.memory.journal.filter((line) => failedUnits.some((u) => line.includes(u)));
  return withDisk(m, { evidence: { ...m.disk.evidence, [run]: { failedUnits, journal: lines } } });
}
