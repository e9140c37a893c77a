/** A NixOS host as data. `disk` survives anything but an installation; `memory` is lost with the power. [pure] */
import type { HostStateFile } from "../../host/protocol.ts";
import type { FaultKind } from "./fault.ts";
import type { StoreEntry } from "./system.ts";

/** Simulated durations, ms. */
export interface Timing {
  readonly activation: number;
  readonly boot: number;
  /** Between the answer to a reboot request and the reset. */
  readonly rebootDelay: number;
  /** How long a hung boot lasts until the hardware watchdog resets the machine. */
  readonly watchdog: number;
}

export interface SystemGeneration {
  readonly number: number;
  readonly path: string;
  /** Seconds since the epoch. */
  readonly date: number;
}

export interface Note {
  readonly by: string;
  readonly reason: string;
  /** Seconds since the epoch: end of a hold (0: none), start of a lock. */
  readonly time: number;
}

/** What a program of the owner answers before an activation. */
export interface OwnersNo {
  readonly reason: string;
  /** Seconds since the epoch, as it says itself; 0: it does not say. */
  readonly until: number;
  /** It fails instead of answering. */
  readonly broken?: true;
}

/** A hold whose end has passed does not count. */
export const holds = (hold: Note, now: number): boolean => hold.time === 0 || now / 1000 < hold.time;

export interface Disk {
  /** Bytes. */
  readonly capacity: number;
  readonly store: Readonly<Record<string, StoreEntry>>;
  /** Name below `/nix/var/nix/gcroots/macula-fleet/` -> store path. */
  readonly roots: Readonly<Record<string, string>>;
  readonly generations: readonly SystemGeneration[];
  /** Generation the system profile points to; null: no profile. */
  readonly profile: number | null;
  /** What the boot loader starts; empty: nothing. */
  readonly bootDefault: string;
  /** What it starts the next time only; empty: nothing set. */
  readonly bootOnce: string;
  /** `/var/lib/macula-fleet/state.json` */
  readonly state: HostStateFile | null;
  readonly hold: Note | null;
  readonly lock: Note | null;
  /** `/etc/macula-fleet/consent.d`; null: nobody objects. */
  readonly consent: OwnersNo | null;
  /** `/var/log/macula-fleet/<run>.log`, lines. */
  readonly logs: Readonly<Record<string, readonly string[]>>;
  /** What a run saved before it went back, see `RunEvidence`. */
  readonly evidence: Readonly<Record<string, RunEvidence>>;
  /** The unit that judges the next boot for a run that asked for a reboot. */
  readonly guard: Run | null;
  /** Small files put there by an installation, by absolute path. */
  readonly files: Readonly<Record<string, string>>;
}

/** What activate.sh was asked for, as the files of the run remember it. */
export interface Run {
  readonly run: string;
  readonly attempt: number;
  readonly from: string;
  readonly to: string;
  readonly confirmMs: number;
  readonly mayReboot: boolean;
  readonly ignoreUnits: readonly string[];
}

interface RunEvidence {
  readonly failedUnits: readonly string[];
  readonly journal: readonly string[];
}

/** A transient unit that runs until `endsAt`. */
export interface Job {
  readonly unit: string;
  readonly run: string;
  readonly kind: "activate" | "revert" | "reboot" | "poweroff";
  readonly endsAt: number;
}

/** The armed revert timer of a run. */
export interface Timer {
  readonly unit: string;
  readonly run: string;
  /** Contact puts it off. */
  readonly firesAt: number;
}

export interface Memory {
  /** `installer`: the machine runs an installer from RAM. */
  readonly kind: "system" | "installer";
  readonly current: string;
  readonly booted: string;
  readonly failedUnits: readonly string[];
  readonly journal: readonly string[];
  readonly jobs: readonly Job[];
  readonly timers: readonly Timer[];
  /** `/run/macula-fleet/<run>/` */
  readonly runs: Readonly<Record<string, Run>>;
  /** `/mnt` of an installer: nothing, a formatted disk, a complete system. */
  readonly mnt: "none" | "formatted" | "installed";
  /** The network went away during an activation and comes back with a revert or a reboot. */
  readonly networkLost: boolean;
}

type Power =
  | { readonly kind: "on"; readonly since: number }
  | { readonly kind: "off" }
  /** Between the reset and userland; `entry` is what the loader picked. */
  | { readonly kind: "booting"; readonly until: number; readonly entry: string | "installer" }
  /** A boot that never ends; `until`: when the watchdog resets the machine, null: never. */
  | { readonly kind: "hung"; readonly until: number | null };

export interface Machine {
  readonly name: string;
  readonly arch: string;
  readonly timing: Timing;
  readonly power: Power;
  readonly disk: Disk;
  /** Null while not running. */
  readonly memory: Memory | null;
  /** Number of boots so far; the boot id derives from it. */
  readonly boots: number;
  /** The system that came up last, empty for none. */
  readonly lastBooted: string;
  readonly faults: readonly FaultKind[];
  /** Public key the machine was delivered with, `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
}

/** Where an installation puts the host keys of the installed system. */
export const HOST_KEY_FILE = "/etc/ssh/ssh_host_ed25519_key";

/** The key of the running system; an installer keeps the one it found. */
export function hostPublicKey(m: Machine): string {
  const delivered = m.disk.files[`${HOST_KEY_FILE}.pub`];
  return (delivered ?? m.hostKey).trim().split(" ").slice(0, 2).join(" ");
}

/** Path the system profile points to; empty: none. */
export const profilePath = (disk: Disk): string =>
  disk.generations.find((g) => g.number === disk.profile)?.path ?? "";

/** Looks like the kernel's boot id; a function of the machine's name and its number of boots. */
export function bootId(machine: Pick<Machine, "name" | "boots">): string {
  const word = (salt: number): string => {
    let x = 2166136261 ^ salt;
    for (const c of `${machine.name}#${machine.boots}`) x = Math.imul(x ^ c.charCodeAt(0), 16777619);
    return (x >>> 0).toString(16).padStart(8, "0");
  };
  const [a, b, c, d] = [word(1), word(2), word(3), word(4)];
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-8${c.slice(1, 4)}-${c.slice(4)}${d}`;
}

export const withDisk = (m: Machine, disk: Partial<Disk>): Machine => ({
  ...m,
  disk: { ...m.disk, ...disk },
});

/** Changes memory; a machine that is not running is returned as it is. */
export const withMemory = (m: Machine, memory: Partial<Memory>): Machine =>
  m.memory ? { ...m, memory: { ...m.memory, ...memory } } : m;
