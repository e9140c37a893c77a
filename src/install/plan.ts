/** What an installation will do to each machine, and why some are left alone. Pure. */
import type { HostFacts } from "../host/protocol.ts";
import type { Host, HostName, Inventory } from "../inventory/model.ts";
import type { Exclusion, Plan, PlannedHost } from "../plan/model.ts";
import { allowanceOf } from "../plan/quantity.ts";
import { judge, type Refusal } from "./checks/index.ts";
import { chooseDataDisks, type DataDisk } from "./data-disks.ts";
import { chooseDisk, type Disk } from "./disk.ts";
import { runsOf } from "./resume.ts";

/** One machine's part of an install plan. */
export interface InstallTarget {
  readonly toplevel: string;
  readonly disko: string;
  /** Already in a NixOS installer: nothing has to be started in place of the running system. */
  readonly inInstaller: boolean;
  /** Everything on it is erased. Null: a container of a lab, which has no disk of its own. */
  readonly disk: Disk | null;
  /** Further disks, and what becomes of each. */
  readonly data: readonly DataDisk[];
  /** What it runs now: `debian 12`. */
  readonly runs: string;
  /** Boot the facts were taken in: a different one after the restart proves the restart. */
  readonly bootId: string;
  /** Keys it has: its installer proves itself with them. */
  readonly hostKeys: readonly string[];
  readonly macs: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Whether anything would be gone that somebody may still want: a running system, or what is on the disk. A further disk
 * that is written to counts even when it is blank: only the person who put it there knows that it is the one.
 */
export const losesData = (t: InstallTarget): boolean =>
  !t.inInstaller || (t.disk?.contents.length ?? 0) > 0 || t.data.some((d) => d.becomes !== "kept");

/** A rollout plan of one wave, so that every view can show it; `targets` is what makes it an installation. */
export interface InstallPlan extends Plan {
  readonly targets: Readonly<Record<HostName, InstallTarget>>;
  readonly refusals: Readonly<Record<HostName, readonly Refusal[]>>;
}

export interface InstallInput {
  readonly id: string;
  readonly inventory: Inventory;
  readonly hosts: readonly Host[];
  readonly revision: string;
  readonly now: number;
  readonly facts: ReadonlyMap<HostName, HostFacts>;
  /** Why there are no facts. */
  readonly silent: ReadonlyMap<HostName, string>;
  /** What speaks against a machine that is not on it: it refuses us, a secret of its cannot be had. */
  readonly troubles?: ReadonlyMap<HostName, readonly Refusal[]>;
  readonly systems: ReadonlyMap<HostName, { readonly toplevel: string; readonly size: number }>;
  readonly disko: ReadonlyMap<HostName, string>;
  /** Install also where the host already runs this fleet. */
  readonly reinstall: boolean;
  readonly digest: (text: string) => string;
}

export function planInstall(input: InstallInput): InstallPlan {
  const excluded: Exclusion[] = [];
  const refusals: Record<HostName, readonly Refusal[]> = {};
  const targets: Record<HostName, InstallTarget> = {};
  const hosts: PlannedHost[] = [];
  for (const host of input.hosts) {
    const facts = input.facts.get(host.name);
    const why = skipReason(host, facts, input);
    if (why) {
      excluded.push({ host: host.name, ...why });
      continue;
    }
    const troubles = input.troubles?.get(host.name) ?? [];
    const { disk, data, found } = facts ? examine(host, facts, input.inventory) : NOT_LOOKED_AT;
    const refused = [...found.filter((r) => r.severity === "refuse"), ...troubles];
    if (!facts || refused.length > 0) {
      refusals[host.name] = refused;
      excluded.push({ host: host.name, state: "skipped", reason: refused.map((r) => r.message).join("; ") });
      continue;
    }
    const system = input.systems.get(host.name);
    const disko = input.disko.get(host.name);
    if (!system || !disko) {
      excluded.push({ host: host.name, state: "skipped", reason: "nothing was built for it" });
      continue;
    }
    targets[host.name] = {
      toplevel: system.toplevel,
      disko,
      inInstaller: facts.os.variant === "installer",
      disk,
      data,
      runs: runsOf(facts),
      bootId: facts.bootId,
      hostKeys: facts.hostKeys,
      macs: facts.macs,
      warnings: found.map((r) => r.message),
    };
    hosts.push(plannedHost(host, system, { disk, data }, facts));
  }
  const { policy } = input.inventory;
  const body = {
    schema: 1 as const,
    id: input.id,
    kind: "rollout" as const,
    fleet: input.inventory.fleet.name,
    revision: input.revision,
    createdAt: input.now,
    hosts,
    waves:
      hosts.length === 0
        ? []
        : [
            {
              index: 1,
              kind: "wave" as const,
              label: "install",
              hosts: hosts.map((h) => h.name),
              maxFailures: hosts.length,
              soakMs: 0,
            },
          ],
    excluded,
    limits: {
      maxParallel: Math.max(1, allowanceOf(policy.maxParallel, hosts.length)),
      maxUnavailable: hosts.length,
      maxUnavailablePerSite: {},
      maxUnavailablePerCluster: {},
      maxUnavailablePerRole: {},
      maxParallelPerRole: {},
      maxFailuresPerSite: null,
      activatingPerSite: hosts.length,
      copyingPerSite: policy.perSite.copying,
      copyingBySite: {},
      copying: policy.copyParallel,
    },
    guards: [],
    policy,
    resolutions: [],
    warnings: Object.entries(targets).flatMap(([name, t]) => t.warnings.map((w) => `${name}: ${w}`)),
    force: input.reinstall,
    targets,
    refusals,
  };
  // The facts' boot and the time are not part of what is confirmed; disks, systems and hosts are.
  const { id: _id, createdAt: _at, ...decisive } = body;
  return {
    ...body,
    hash: input.digest(JSON.stringify(decisive, (key, value) => (key === "bootId" ? undefined : value))),
  };
}

/** Of a container nothing is asked that only a machine can have; it must be a lab's. */
const OF_CONTAINERS: ReadonlySet<string> = new Set(["arch", "elevation", "sudo", "tools"]);

interface Disks {
  readonly disk: Disk | null;
  readonly data: readonly DataDisk[];
}

const NOT_LOOKED_AT = { disk: null, data: [], found: [] };

/** What stands against installing this machine, and the disks it would go to. */
export function examine(
  host: Host,
  facts: HostFacts,
  inventory: Pick<Inventory, "lab">,
): Disks & { readonly found: readonly Refusal[] } {
  const found = [...judge(host, facts)];
  if (inventory.lab?.backend === "docker")
    return { ...NOT_LOOKED_AT, found: found.filter((r) => OF_CONTAINERS.has(r.code)) };
  const choice = chooseDisk(host, facts);
  if (!choice.ok) return { ...NOT_LOOKED_AT, found: [...found, choice.refusal] };
  const { disk } = choice;
  const { data, refusals } = chooseDataDisks(host, facts, disk);
  found.push(...refusals);
  if (inventory.lab || host.disk.device.startsWith("/")) return { disk, data, found };
  const unnamed: Refusal = {
    code: "disk-unnamed",
    severity: "refuse",
    message: `its only disk is ${disk.path} (${[disk.model, disk.serial].filter(Boolean).join(", serial ")}), but the inventory says "${host.disk.device}": a system is built for a disk by name`,
    fix: `write disk.device: ${disk.path}`,
  };
  return { disk, data, found: [...found, unnamed] };
}

/** Refused or left alone whatever is built for it: its system need not be. */
export function isInstallable(
  host: Host,
  facts: HostFacts | undefined,
  input: Pick<InstallInput, "inventory" | "reinstall" | "silent" | "troubles">,
): boolean {
  if (skipReason(host, facts, input) !== null || !facts) return false;
  return examine(host, facts, input.inventory).found.every((r) => r.severity !== "refuse");
}

function skipReason(
  host: Host,
  facts: HostFacts | undefined,
  input: Pick<InstallInput, "reinstall" | "silent" | "troubles">,
): Omit<Exclusion, "host"> | null {
  if (host.state !== "active" && host.state !== "planned")
    return { state: "skipped", reason: `state is ${host.state}` };
  if (host.os === "k3os") return { state: "skipped", reason: `runs k3OS: macula-fleet convert ${host.name}` };
  if (host.hardware.boot === "rpi" || host.disk.device === "image") {
    return {
      state: "skipped",
      reason: "boots from an image, which cannot be installed over SSH: macula-fleet image build sdcard",
    };
  }
  if (!facts) {
    if (input.troubles?.has(host.name)) return null;
    return { state: "deferred", reason: input.silent.get(host.name) ?? "did not answer" };
  }
  if (
    facts.os.id === "nixos" &&
    facts.os.variant !== "installer" &&
    facts.current !== "" &&
    !input.reinstall
  ) {
    return { state: "skipped", reason: "runs NixOS already; --reinstall erases it" };
  }
  return null;
}

function plannedHost(
  host: Host,
  system: { toplevel: string; size: number },
  { disk, data }: Disks,
  facts: HostFacts,
): PlannedHost {
  const named = (d: Disk) => [d.path, d.model, d.serial].filter(Boolean).join(" ");
  const words = { erased: "ERASES", formatted: "formats", kept: "keeps" };
  const disks = [
    ...(disk === null ? [] : [`ERASES ${named(disk)}`]),
    ...data.map((d) => `${words[d.becomes]} ${named(d)}`),
  ];
  return {
    name: host.name,
    role: host.role,
    roles: host.roles,
    site: host.site,
    arch: host.arch,
    cluster: host.k3s.cluster ?? null,
    via: null,
    from: facts.current === "" ? null : facts.current,
    to: system.toplevel,
    closureBytes: system.size,
    windows: [],
    why: disks.join(", "),
  };
}
