/** Power, boot loader and boot. [pure] */
import type { Machine } from "./model.ts";
import { withDisk } from "./model.ts";
import { freshMemory } from "./new-machine.ts";

/** Would this system come up? Only the lab knows; a real host finds out by trying. */
function boots(m: Machine, entry: string): boolean {
  const system = m.disk.store[entry]?.system;
  if (!system || system.behaviour === "no-boot") return false;
  return !(m.faults.includes("no-boot") && entry !== m.lastBooted);
}

/** Memory is gone; the loader starts its one-shot entry, which is thereby used up, or its default. */
export function restart(m: Machine, now: number): Machine {
  const once = m.disk.bootOnce !== "";
  const entry = once ? m.disk.bootOnce : m.disk.bootDefault;
  const down: Machine = { ...withDisk(m, { bootOnce: "" }), memory: null, boots: m.boots + 1 };
  if (!boots(m, entry)) {
    // A default entry that hangs hangs again after each reset: only a person helps then.
    return { ...down, power: { kind: "hung", until: once ? now + m.timing.watchdog : null } };
  }
  return { ...down, power: { kind: "booting", until: now + m.timing.boot, entry } };
}

/** The plug is pulled: what ran is gone, the disk is as it was. */
export function cutPower(m: Machine): Machine {
  return m.power.kind === "off" ? m : { ...m, memory: null, power: { kind: "off" } };
}

export function powerOn(m: Machine, now: number): Machine {
  return m.power.kind === "off" ? restart(m, now) : m;
}

/** Boots the installer from RAM, as kexec does: the disk stays untouched. */
export function kexecInstaller(m: Machine, now: number): Machine {
  return {
    ...m,
    memory: null,
    boots: m.boots + 1,
    power: { kind: "booting", until: now + m.timing.boot, entry: "installer" },
  };
}

/** The next power event that is due by `now`, applied; null when none is. */
export function stepPower(m: Machine, now: number): Machine | null {
  if (m.power.kind === "hung" && m.power.until !== null && m.power.until <= now) {
    return restart(m, m.power.until);
  }
  if (m.power.kind === "booting" && m.power.until <= now) {
    const { entry, until } = m.power;
    const installer = entry === "installer";
    const memory = freshMemory(installer ? "installer" : "system", installer ? "" : entry);
    const lastBooted = installer ? m.lastBooted : entry;
    return { ...m, power: { kind: "on", since: until }, memory, lastBooted };
  }
  return null;
}

/** Can packets get in and out? */
export function networkUp(m: Machine): boolean {
  if (m.power.kind !== "on" || !m.memory || m.faults.includes("unreachable")) return false;
  return !m.memory.networkLost && m.disk.store[m.memory.current]?.system?.behaviour !== "cuts-network";
}
