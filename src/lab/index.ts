/** The lab as commands see it: up, down, status, faults, releases. */
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { closest } from "fastest-levenshtein";
import { FleetError } from "../errors.ts";
import { systemClock } from "../kernel/clock.ts";
import { connectLab, type LabControl } from "./control.ts";
import type { HostReport } from "./control-protocol.ts";
import { defaultSites } from "./fleet-shape.ts";
import { type LabSettings, startLab } from "./lab.ts";
import { labLayout } from "./layout.ts";
import { FAULT_KINDS, type FaultKind } from "./machine/fault.ts";
import type { Behaviour } from "./machine/system.ts";
import { alive, type RunningLab, readRunningLab } from "./running.ts";
import { spawnDaemon } from "./spawn-daemon.ts";
import { type Catalog, checkRevision, readCatalog, writeCatalog } from "./store/catalog.ts";

export { defaultLabDir, labLayout } from "./layout.ts";
export { FAULT_HELP, FAULT_KINDS, type FaultKind } from "./machine/fault.ts";
export { BEHAVIOURS, type Behaviour } from "./machine/system.ts";
export { createSimClosureSource, labDiskoScript } from "./sim-source.ts";

export interface LabUpOptions {
  readonly dir: string;
  readonly hosts: number;
  readonly sites?: number;
  /** Hosts wait in an installer instead of running release r1. */
  readonly blank?: boolean;
  /** Stay in this process until `signal` aborts or the lab is put down; default: detached. */
  readonly foreground?: boolean;
  readonly signal: AbortSignal;
  /** Called once the lab answers; needed in the foreground, where `labUp` returns only at the end. */
  readonly onReady?: (lab: RunningLab) => void;
}

/** Starts a lab. Throws `usage` | `lab-failed` | `interrupted`. */
export async function labUp(options: LabUpOptions): Promise<RunningLab> {
  const { dir, hosts, signal } = options;
  signal.throwIfAborted();
  checkSize(options);
  const before = readRunningLab(dir);
  if (before && alive(before.pid)) {
    throw new FleetError(
      "lab-failed",
      `a lab of ${before.hosts.length} simulated hosts runs in ${dir} already`,
      {
        hint: `macula-fleet lab down --dir ${dir}`,
      },
    );
  }
  const files = labLayout(dir);
  if (!before && existsSync(files.inventory)) {
    throw new FleetError("lab-failed", `${files.inventory} exists and is not a lab's: it is left alone`, {
      hint: "choose another --dir",
    });
  }
  const settings: LabSettings = {
    dir: files.dir,
    hosts,
    sites: options.sites ?? defaultSites(hosts),
    blank: options.blank ?? false,
  };
  if (!options.foreground) {
    await spawnDaemon(settings, signal);
    const lab = readRunningLab(dir);
    if (!lab) throw new FleetError("lab-failed", `the lab in ${dir} ended as soon as it had started`);
    options.onReady?.(lab);
    return lab;
  }
  const lab = await startLab(settings, systemClock);
  options.onReady?.(lab.running);
  const interrupted = new Promise<boolean>((resolve) =>
    signal.addEventListener("abort", () => resolve(false), { once: true }),
  );
  const keep = await Promise.race([lab.stopRequested, interrupted]);
  await lab.stop({ keep });
  if (!keep) removeFiles(dir);
  return lab.running;
}

function checkSize({ hosts, sites }: LabUpOptions): void {
  const whole = (n: number) => Number.isInteger(n) && n >= 1;
  if (!whole(hosts) || hosts > 1000) throw new FleetError("usage", `a lab has 1 to 1000 hosts, not ${hosts}`);
  if (sites !== undefined && (!whole(sites) || sites > hosts)) {
    throw new FleetError("usage", `${hosts} hosts cannot be spread over ${sites} sites`);
  }
}

/** Stops the lab in `dir` and removes what `labUp` made there, or with `keep` only stops it. True: there was one. */
export async function labDown(dir: string, o: { readonly keep?: boolean } = {}): Promise<boolean> {
  const lab = readRunningLab(dir);
  if (!lab) return false;
  const keep = o.keep ?? false;
  if (alive(lab.pid)) {
    const control = connectLab(dir);
    // The token proves that the process is this lab and not another one that got its number.
    const mine = await control.stop({ keep }).then(
      () => true,
      () => false,
    );
    for (let i = 0; mine && i < 200 && alive(lab.pid) && lab.pid !== process.pid; i++) await delay(25);
    if (mine && alive(lab.pid) && lab.pid !== process.pid) {
      throw new FleetError("lab-failed", `the lab (process ${lab.pid}) does not end`, {
        hint: `kill ${lab.pid}`,
      });
    }
  }
  if (!keep) removeFiles(dir);
  return true;
}

/** Removes what a lab wrote; files of others, and directories that hold any, stay. */
function removeFiles(dir: string): void {
  const f = labLayout(dir);
  const files = [
    f.inventory,
    f.identity,
    f.identityPub,
    f.knownHosts,
    f.lab,
    f.releases,
    f.log,
    f.nixosAnywhere,
  ];
  for (const file of files) rmSync(file, { force: true });
  for (const made of [f.hosts, f.state]) rmSync(made, { recursive: true, force: true });
  for (const made of [f.bin, f.dir]) {
    if (existsSync(made) && readdirSync(made).length === 0) rmdirSync(made);
  }
}

export interface LabStatus {
  readonly simulated: true;
  readonly dir: string;
  readonly inventory: string;
  readonly running: boolean;
  readonly pid: number;
  readonly head: string;
  readonly releases: Catalog["releases"];
  /** Empty when it is not running. */
  readonly hosts: readonly HostReport[];
}

/** Null when there is no lab in `dir`. */
export async function labStatus(dir: string): Promise<LabStatus | null> {
  const lab = readRunningLab(dir);
  if (!lab) return null;
  const files = labLayout(dir);
  const catalog = readCatalog(files.releases);
  const running = alive(lab.pid);
  const report = running ? await connectLab(dir).status() : null;
  return {
    simulated: true,
    dir: files.dir,
    inventory: files.inventory,
    running,
    pid: lab.pid,
    head: catalog.head,
    releases: catalog.releases,
    hosts: report?.hosts ?? [],
  };
}

/** Adds a fault to a host, removes one (`clear`), or removes all (`none`). Throws `usage` | `lab-failed`. */
export async function labFault(
  dir: string,
  host: string,
  kind: string,
  o: { readonly clear?: boolean } = {},
): Promise<HostReport> {
  const control = connectLab(dir);
  const name = knownHost(control, host);
  if (kind === "none") return control.faults(name, []);
  const fault = knownFault(kind);
  const others = (await control.host(name)).faults.filter((f) => f !== fault);
  return control.faults(name, o.clear ? others : [...others, fault]);
}

/** Pulls the plug of a host and puts it back. */
export async function labPowerCycle(dir: string, host: string): Promise<HostReport> {
  const control = connectLab(dir);
  return control.powerCycle(knownHost(control, host));
}

function knownFault(kind: string): FaultKind {
  const fault = FAULT_KINDS.find((k) => k === kind);
  if (fault) return fault;
  throw new FleetError(
    "usage",
    `no fault "${kind}"; did you mean ${closest(kind, [...FAULT_KINDS, "none"])}?`,
    {
      hint: `faults are ${FAULT_KINDS.join(", ")}; none clears them`,
    },
  );
}

function knownHost(control: LabControl, host: string): string {
  const names = control.lab.hosts.map((h) => h.name);
  if (names.includes(host)) return host;
  throw new FleetError("usage", `the lab has no host "${host}"; did you mean ${closest(host, names)}?`);
}

export interface LabReleaseOptions {
  /** Default: as it was, or good. */
  readonly behaviour?: Behaviour;
  /** Host name globs the behaviour is limited to; elsewhere the release is good. */
  readonly hosts?: readonly string[];
}

/** Defines a release of the lab's flake and makes it the head. Needs no running lab. */
export function labRelease(dir: string, name: string, o: LabReleaseOptions = {}): Catalog {
  const file = labLayout(dir).releases;
  if (!existsSync(file)) {
    throw new FleetError("lab-failed", `no lab in ${dir}`, { hint: `macula-fleet lab up --dir ${dir}` });
  }
  const catalog = readCatalog(file);
  const before = catalog.releases[checkRevision(name)];
  const release = {
    behaviour: o.behaviour ?? before?.behaviour ?? "good",
    ...(o.hosts ? { hosts: [...o.hosts] } : {}),
  };
  const next: Catalog = { ...catalog, head: name, releases: { ...catalog.releases, [name]: release } };
  writeCatalog(file, next);
  return next;
}

/** What to type next, after `lab up`; lines for a person. */
export function labWelcome(lab: RunningLab, dir: string): readonly string[] {
  const inventory = labLayout(dir).inventory;
  return [
    `Lab: ${lab.hosts.length} simulated NixOS hosts on 127.0.0.1 (process ${lab.pid}).`,
    "Next:",
    `  macula-fleet status  -i ${inventory}`,
    `  macula-fleet rollout -i ${inventory} --canary 10%`,
    `  macula-fleet lab fault ${lab.hosts[0]?.name ?? "node-01"} bad-health --dir ${labLayout(dir).dir}`,
    `  macula-fleet lab down --dir ${labLayout(dir).dir}`,
  ];
}
