/** What a person does to a lab that runs: look, break, mend, release. */
import { existsSync } from "node:fs";
import { closest } from "fastest-levenshtein";
import { FleetError } from "../errors.ts";
import { connectLab, type LabControl } from "./control.ts";
import type { HostReport } from "./control-protocol.ts";
import { knownFault } from "./known-fault.ts";
import { labLayout } from "./layout.ts";
import type { Behaviour } from "./machine/system.ts";
import { alive, readRunningLab } from "./running.ts";
import { type Catalog, checkRevision, readCatalog, writeCatalog } from "./store/catalog.ts";

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
  const hosts = o.hosts ?? (o.behaviour === undefined ? before?.hosts : undefined);
  const release = {
    behaviour: o.behaviour ?? before?.behaviour ?? "good",
    ...(hosts ? { hosts: [...hosts] } : {}),
  };
  const next: Catalog = { ...catalog, head: name, releases: { ...catalog.releases, [name]: release } };
  writeCatalog(file, next);
  return next;
}
