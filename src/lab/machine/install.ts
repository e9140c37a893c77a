/** What the steps of nixos-anywhere do to a machine. Each says why when it cannot. [pure] */
import type { Machine } from "./model.ts";
import { withMemory } from "./model.ts";
import { emptyDisk } from "./new-machine.ts";
import { kexecInstaller, restart } from "./power.ts";
import { receivePath } from "./store.ts";
import type { StoreEntry } from "./system.ts";

export type Installed =
  | { readonly ok: true; readonly machine: Machine }
  | { readonly ok: false; readonly machine: Machine; readonly error: string };

const refuse = (machine: Machine, error: string): Installed => ({ ok: false, machine, error });

/** Nothing to do in an installer, as the real one finds by its facts. */
export function kexec(m: Machine, now: number): Installed {
  if (!m.memory) return refuse(m, "the machine is not running");
  return { ok: true, machine: m.memory.kind === "installer" ? m : kexecInstaller(m, now) };
}

/** Wipes the disk. */
export function format(m: Machine): Installed {
  if (m.memory?.kind !== "installer")
    return refuse(m, "disko: the disk is in use: the machine runs no installer");
  return { ok: true, machine: withMemory({ ...m, disk: emptyDisk, lastBooted: "" }, { mnt: "formatted" }) };
}

/** Copies the closure to /mnt, installs the boot loader and the extra files. */
export function installSystem(
  m: Machine,
  closure: readonly StoreEntry[],
  files: Readonly<Record<string, string>>,
  now: number,
): Installed {
  const toplevel = closure.at(-1);
  if (m.memory?.kind !== "installer") return refuse(m, "nixos-install: the machine runs no installer");
  if (m.memory.mnt === "none") return refuse(m, "nixos-install: /mnt is not mounted");
  if (!toplevel?.system) return refuse(m, "nixos-install: not a system");
  let machine = m;
  for (const entry of closure) {
    const received = receivePath(machine, entry);
    if (!received.ok) return refuse(m, received.error);
    machine = received.machine;
  }
  const generation = { number: 1, path: toplevel.path, date: Math.floor(now / 1000) };
  const disk = {
    ...machine.disk,
    generations: [generation],
    profile: 1,
    bootDefault: toplevel.path,
    files,
  };
  return { ok: true, machine: withMemory({ ...machine, disk }, { mnt: "installed" }) };
}

export function rebootInstalled(m: Machine, now: number): Installed {
  if (!m.memory) return refuse(m, "the machine is not running");
  return { ok: true, machine: restart(m, now) };
}
