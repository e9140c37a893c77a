/** probe, evidence, facts: reading only. [pure] */
import type { Evidence, HostFacts, Observation } from "../../../host/protocol.ts";
import { hasJob, hasTimer, otherRuns } from "../activation.ts";
import { bootId, holds, hostPublicKey, type Machine, type Note, profilePath } from "../model.ts";
import { closureIn, freeBytes } from "../store.ts";
import { needRun, needSystem, type Operation, said } from "./operation.ts";

const KiB = 1024;
const MEMORY_KIB = 4 * 1024 * 1024;

function osOf(m: Machine): Observation["os"] {
  const installer = m.memory?.kind === "installer";
  const version = m.disk.store[m.memory?.current ?? ""]?.system?.version ?? "26.05.lab";
  return { id: "nixos", version, variant: installer ? "installer" : "lab" };
}

const hostname = (m: Machine): string => (m.memory?.kind === "installer" ? "nixos-installer" : m.name);

const uptime = (m: Machine, now: number): number =>
  m.power.kind === "on" ? Math.max(0, now - m.power.since) / 1000 : 0;

const held = (n: Note | null, now: number) =>
  n && holds(n, now) ? { by: n.by, reason: n.reason, until: n.time } : null;
const locked = (n: Note | null) => (n ? { by: n.by, reason: n.reason, since: n.time } : null);

function rebootPending(m: Machine): boolean {
  const kernel = (path: string | undefined) => m.disk.store[path ?? ""]?.system?.kernel;
  return kernel(m.memory?.current) !== kernel(m.memory?.booted);
}

export const probe: Operation = (m, p, now) => {
  const run = p.RUN ? needRun(p) : "none";
  const to = p.TO ? needSystem(p, "TO") : null;
  const failedUnits = [...(m.memory?.failedUnits ?? [])].sort();
  const timer = m.memory?.timers.find((t) => t.run === run);
  const free = Math.floor(freeBytes(m) / KiB);
  const answer: Observation = {
    schema: 1,
    hostname: hostname(m),
    os: osOf(m),
    arch: m.arch,
    bootId: bootId(m),
    uptime: uptime(m, now),
    clock: Math.floor(now / 1000),
    current: m.memory?.current ?? "",
    booted: m.memory?.booted ?? "",
    profile: profilePath(m.disk),
    generation: m.disk.profile,
    bootDefault: m.disk.bootDefault,
    loader: m.disk.bootDefault === "" ? "none" : "lab",
    rebootPending: rebootPending(m),
    failedUnits,
    systemState: failedUnits.length === 0 ? "running" : "degraded",
    state: m.disk.state,
    activateActive: hasJob(m, run, "activate"),
    revertArmed: hasTimer(m, run) || hasJob(m, run, "revert"),
    revertIn: timer ? Math.ceil((timer.firesAt - now) / 1000) : null,
    closureValid: to === null ? null : m.disk.store[to]?.system !== undefined,
    disk: { storeFree: free, bootFree: 400 * KiB, rootFree: free },
    memory: MEMORY_KIB,
    hold: held(m.disk.hold, now),
    lock: locked(m.disk.lock),
    foreign: [],
    otherRuns: [...otherRuns(m, run)],
    nix: "2.31.2",
    elevation: "root",
    trustedUser: true,
  };
  return said(m, answer);
};

/** `nix store diff-closures`, in kind: what one system has that the other lacks. */
function closureDiff(m: Machine, from: string, to: string): string[] {
  const before = closureIn(m.disk, [from]);
  const after = closureIn(m.disk, [to]);
  const name = (path: string) => path.slice("/nix/store/".length + 33);
  const plain = (names: readonly string[]) => names.filter((n) => !n.startsWith("nixos-system-"));
  const gone = plain([...before].filter((path) => !after.has(path)).map(name));
  const come = plain([...after].filter((path) => !before.has(path)).map(name));
  return [...gone.map((n) => `${n}: removed`), ...come.map((n) => `${n}: added`)].sort();
}

export const evidence: Operation = (m, p) => {
  const run = needRun(p);
  const saved = m.disk.evidence[run];
  const answer: Evidence & { readonly schema: 1 } = {
    schema: 1,
    failedUnits: [...(saved?.failedUnits ?? m.memory?.failedUnits ?? [])],
    log: [...(m.disk.logs[run] ?? [])].slice(-100),
    journal: [...(saved?.journal ?? m.memory?.journal ?? [])].slice(-100),
    closureDiff: closureDiff(m, needSystem(p, "FROM"), needSystem(p, "TO")),
  };
  return said(m, answer);
};

export const facts: Operation = (m) => {
  const serial = `LAB${m.name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "")}`;
  const machineId = bootId({ name: m.name, boots: 0 }).replaceAll("-", "");
  const size = Math.floor(m.disk.capacity / KiB);
  const system = m.memory?.kind === "system";
  const mac = `52:54:00:${machineId.slice(0, 6).match(/../g)?.join(":")}`;
  const answer: HostFacts = {
    schema: 1,
    hostname: hostname(m),
    os: osOf(m),
    kernel: m.disk.store[m.memory?.booted ?? ""]?.system?.kernel ?? "6.12.58",
    arch: m.arch,
    memory: MEMORY_KIB,
    bootMode: "uefi",
    secureBoot: false,
    lockdown: "none",
    kexec: true,
    container: "none",
    virtualization: "macula-fleet-lab",
    model: "macula-fleet lab (simulated)",
    serial,
    machineId,
    tools: [
      "tar",
      "cpio",
      "gzip",
      "setsid",
      "kexec",
      "curl",
      "nix-store",
      ...(system ? [] : ["nixos-install"]),
    ],
    uplink: { device: "eth0", kind: "ethernet", mac },
    macs: [mac],
    disks: [
      {
        name: "/dev/vda",
        size,
        model: "LAB DISK",
        serial,
        removable: false,
        rotational: false,
        byId: [`/dev/disk/by-id/virtio-${serial}`],
        partitions: m.disk.bootDefault === "" ? [] : [`/dev/vda1 ${size} ext4`],
        mounted: system ? ["/"] : m.memory?.mnt === "none" ? [] : ["/mnt"],
        blank: m.disk.bootDefault === "",
      },
    ],
    hostKeys: [hostPublicKey(m)],
    current: m.memory?.current ?? "",
    bootId: bootId(m),
    elevation: "root",
  };
  return said(m, answer);
};
