/** Machines as they are delivered: blank, or with a system. [pure] */
import type { Disk, Machine, Memory, Timing } from "./model.ts";
import type { StoreEntry } from "./system.ts";

const DEFAULT_TIMING: Timing = { activation: 300, boot: 1500, rebootDelay: 100, watchdog: 3000 };

const GiB = 2 ** 30;

export const emptyDisk: Disk = {
  capacity: 8 * GiB,
  store: {},
  roots: {},
  generations: [],
  profile: null,
  bootDefault: "",
  bootOnce: "",
  state: null,
  hold: null,
  lock: null,
  consent: null,
  logs: {},
  evidence: {},
  guard: null,
  files: {},
};

export const freshMemory = (kind: Memory["kind"], system: string): Memory => ({
  kind,
  current: system,
  booted: system,
  failedUnits: [],
  journal: [],
  jobs: [],
  timers: [],
  runs: {},
  mnt: "none",
  networkLost: false,
});

export interface MachineSpec {
  readonly name: string;
  readonly arch?: string;
  readonly timing?: Timing;
  readonly hostKey?: string;
}

/** A machine whose disk is empty and which runs an installer, waiting. */
export function blankMachine(spec: MachineSpec, now: number): Machine {
  return {
    name: spec.name,
    arch: spec.arch ?? "x86_64",
    timing: spec.timing ?? DEFAULT_TIMING,
    power: { kind: "on", since: now },
    disk: emptyDisk,
    memory: freshMemory("installer", ""),
    boots: 1,
    lastBooted: "",
    faults: [],
    hostKey: spec.hostKey ?? "",
  };
}

/** A machine that runs the last entry of `closure`, installed as generation 1. */
export function installedMachine(spec: MachineSpec, closure: readonly StoreEntry[], now: number): Machine {
  const toplevel = closure.at(-1)?.path ?? "";
  return {
    ...blankMachine(spec, now),
    disk: {
      ...emptyDisk,
      store: Object.fromEntries(closure.map((e) => [e.path, e])),
      generations: [{ number: 1, path: toplevel, date: Math.floor(now / 1000) }],
      profile: 1,
      bootDefault: toplevel,
    },
    memory: freshMemory("system", toplevel),
    lastBooted: toplevel,
  };
}
