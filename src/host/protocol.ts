/**
 * What the product and a host say to each other. A host holds no agent: each operation is one POSIX `sh` script
 * (`scripts/NAME.sh`) sent over stdin to `sh -s`, parameters in front as quoted assignments, JSON back on stdout.
 * The simulator answers exactly these scripts and refuses everything else, so the two cannot drift apart.
 *
 * Files on a host (contract §7): `/run/macula-fleet/<run>/` (0700) this activation, `/var/lib/macula-fleet/state.json`
 * (write, fsync, rename) what survives a reboot, `/var/log/macula-fleet/<run>.log` output of the activation,
 * `/nix/var/nix/gcroots/macula-fleet/<run>-{from,to}` until the rollout lets go.
 * Units: `macula-fleet-<run>-activate.service`, `macula-fleet-<run>-revert.{timer,service}`.
 */
import { z } from "zod";

export const StorePath = z.string().regex(/^\/nix\/store\/[0-9a-z]{32}-[0-9A-Za-z+._?=-]+$/);

/** Where an activation stands, as the host itself recorded it. Order matters: later phases include earlier ones. */
export const HostPhase = z.enum([
  "activating", // timer armed, unit started, nothing proven
  "activated", // switch-to-configuration test (or the reboot into `to`) is done; `rc` tells how
  "committed", // profile and boot default are `to`; the timer is disarmed
  "reverting",
  "reverted", // back on `from`, for `reason`
  "revert-failed", // needs a human
]);
export type HostPhase = z.infer<typeof HostPhase>;

/** `/var/lib/macula-fleet/state.json`: the last activation this host took part in. */
export const HostStateFile = z.object({
  schema: z.literal(1),
  rollout: z.string(),
  attempt: z.number().int(),
  /** Highest fence seen; the host refuses lower ones. */
  fence: z.number().int(),
  from: StorePath,
  to: StorePath,
  mode: z.enum(["test", "boot"]),
  phase: HostPhase,
  /** Exit status of switch-to-configuration, null while it runs. */
  rc: z.number().int().nullable(),
  /** Why it reverted: `timeout`, `activation`, `health`, `operator`, `boot`. */
  reason: z.string().nullable(),
  /** Boot in which `phase` was written: a different one now means the machine restarted since. */
  bootId: z.string(),
  /** Units that had failed before the activation: only the difference counts. */
  baselineFailed: z.array(z.string()),
});
export type HostStateFile = z.infer<typeof HostStateFile>;

/** Everything `probe.sh` reads in one round trip; it changes nothing. Sizes in KiB, times in seconds. */
export const Observation = z.object({
  schema: z.literal(1),
  hostname: z.string(),
  os: z.object({ id: z.string(), version: z.string(), variant: z.string() }),
  arch: z.string(),
  bootId: z.string(),
  uptime: z.number(),
  /** Seconds since the epoch by the host's clock; only compared to itself. */
  clock: z.number(),
  /** `readlink -f` of /run/current-system, /run/booted-system, /nix/var/nix/profiles/system; empty: none. */
  current: z.string(),
  booted: z.string(),
  profile: z.string(),
  generation: z.number().int().nullable(),
  /** What the next boot would start as far as the boot loader can be read; empty: unknown. */
  bootDefault: z.string(),
  loader: z.enum(["systemd-boot", "grub", "extlinux", "lab", "none"]),
  /** True when kernel, initrd or modules of `current` differ from `booted`. */
  rebootPending: z.boolean(),
  failedUnits: z.array(z.string()),
  /** `systemctl is-system-running`. */
  systemState: z.string(),
  state: HostStateFile.nullable(),
  /** Is the activation unit of `RUN` running, is its revert timer armed? */
  activateActive: z.boolean(),
  revertArmed: z.boolean(),
  /** Seconds until the host reverts itself unless contacted; null: not armed. */
  revertIn: z.number().nullable(),
  /** Is the closure asked about (`TO`) complete in the store? null: none was asked about. */
  closureValid: z.boolean().nullable(),
  disk: z.object({ storeFree: z.number(), bootFree: z.number(), rootFree: z.number() }),
  memory: z.number(),
  /** `macula-fleet hold` or the host's own wish; `until` in seconds since the epoch, 0: no end. */
  hold: z.object({ by: z.string(), reason: z.string(), until: z.number() }).nullable(),
  lock: z.object({ by: z.string(), reason: z.string(), since: z.number() }).nullable(),
  /** Other things that set systems here: `system-profiles/*`, auto-upgrade units. */
  foreign: z.array(z.string()),
  /** Other macula-fleet runs that are active here: unit names. */
  otherRuns: z.array(z.string()),
  nix: z.string(),
  elevation: z.enum(["root", "sudo", "doas", "none"]),
  trustedUser: z.boolean(),
});
export type Observation = z.infer<typeof Observation>;

/** One generation of the system profile, newest last. */
export const Generation = z.object({
  number: z.number().int(),
  path: z.string(),
  /** Seconds since the epoch when it was made. */
  date: z.number(),
  version: z.string(),
  kernel: z.string(),
  current: z.boolean(),
});
export type Generation = z.infer<typeof Generation>;

/** `status` is the probe's verdict: `retry` means "not now" (a command's exit 21). */
export const CheckResult = z.object({
  name: z.string(),
  type: z.string(),
  status: z.enum(["ok", "failed", "retry"]),
  message: z.string(),
});
export type CheckResult = z.infer<typeof CheckResult>;

/** Collected from a failed host before it reverts, or from its log afterwards. */
export const Evidence = z.object({
  failedUnits: z.array(z.string()),
  /** Last lines of the activation log and of the failed units' journal. */
  log: z.array(z.string()),
  journal: z.array(z.string()),
  closureDiff: z.array(z.string()),
});
export type Evidence = z.infer<typeof Evidence>;

/** A disk as an installer sees it. `size` in KiB; partitions as `DEVICE KIB FILESYSTEM [LABEL]`. */
export const DiskFacts = z.object({
  name: z.string(),
  size: z.number(),
  model: z.string(),
  serial: z.string(),
  removable: z.boolean(),
  rotational: z.boolean(),
  /** Stable names, `/dev/disk/by-id/…`. */
  byId: z.array(z.string()),
  partitions: z.array(z.string()),
  /** Where parts of it are mounted now. */
  mounted: z.array(z.string()),
  /** Reads as zeros where tables, file systems, arrays and volumes have their marks. False: it does not, or cannot be read. */
  blank: z.boolean(),
});
export type DiskFacts = z.infer<typeof DiskFacts>;

/** Everything `facts.sh` reads before an installation; it changes nothing. */
export const HostFacts = z.object({
  schema: z.literal(1),
  hostname: z.string(),
  /** `variant` is `installer` in a NixOS installer. */
  os: z.object({ id: z.string(), version: z.string(), variant: z.string() }),
  kernel: z.string(),
  arch: z.string(),
  /** KiB. */
  memory: z.number(),
  bootMode: z.enum(["uefi", "bios", "rpi"]),
  secureBoot: z.boolean(),
  /** Kernel lockdown: `none`, `integrity`, `confidentiality`. */
  lockdown: z.string(),
  /** May another kernel be loaded? */
  kexec: z.boolean(),
  /** `none`, or the container's kind: nothing can be installed there. */
  container: z.string(),
  virtualization: z.string(),
  model: z.string(),
  serial: z.string(),
  machineId: z.string(),
  /** Of the tools an installation may use, those found in PATH. */
  tools: z.array(z.string()),
  /** The device of the default route. */
  uplink: z.object({
    device: z.string(),
    kind: z.enum(["none", "ethernet", "wifi", "tunnel", "mobile", "bridge", "bond"]),
    mac: z.string(),
  }),
  macs: z.array(z.string()),
  disks: z.array(DiskFacts),
  hostKeys: z.array(z.string()),
  current: z.string(),
  bootId: z.string(),
  elevation: z.enum(["root", "sudo", "doas", "none"]),
});
export type HostFacts = z.infer<typeof HostFacts>;

/** Answer of every operation that changes something: `did` is one word, `already` when there was nothing to do. */
export const Done = z.object({ schema: z.literal(1), did: z.string() });
/** `rebootNeeded`: kernel, initrd or modules of `to` are not those the host booted. */
/** Paths whose content is another one now. */
export const Delivered = z.object({ schema: z.literal(1), changed: z.array(z.string()) });

export const Staged = Done.extend({ rebootNeeded: z.boolean() });
/** `storeFree` in KiB. */
export const Missing = z.object({
  schema: z.literal(1),
  missing: z.array(StorePath),
  storeFree: z.number(),
});
/** `address`: IPv4, of the site's own network. */
export const Lent = z.object({ schema: z.literal(1), address: z.ipv4() });
export const CheckAnswer = z.object({ schema: z.literal(1), results: z.array(CheckResult) });
export const GenerationsAnswer = z.object({ schema: z.literal(1), generations: z.array(Generation) });
export const GcAnswer = z.object({
  schema: z.literal(1),
  generations: z.array(z.coerce.number().int()),
  freed: z.number(),
});
