/** What an installation will do to each machine, and why some are left alone. Pure. */
import type { HostFacts } from "../host/protocol.ts";
import type { Host, HostName, Inventory } from "../inventory/model.ts";
import type { Exclusion, Plan, PlannedHost } from "../plan/model.ts";
import { allowanceOf } from "../plan/quantity.ts";
import { judge, type Refusal } from "./checks/index.ts";
import { chooseDisk, type Disk } from "./disk.ts";

/** One machine's part of an install plan. */
export interface InstallTarget {
  readonly toplevel: string;
  readonly disko: string;
  /** Already in a NixOS installer: nothing has to be started in place of the running system. */
  readonly inInstaller: boolean;
  /** Everything on it is erased. Null: the board gets an image instead. */
  readonly disk: Disk | null;
  /** Boot the facts were taken in: a different one after the restart proves the restart. */
  readonly bootId: string;
  readonly warnings: readonly string[];
}

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
    if (!facts) continue;
    const system = input.systems.get(host.name);
    const disko = input.disko.get(host.name);
    if (!system || !disko) {
      excluded.push({ host: host.name, state: "skipped", reason: "nothing was built for it" });
      continue;
    }
    const disk = chooseDisk(host, facts);
    const found = [...judge(host, facts), ...(disk.ok ? [] : [disk.refusal])];
    const refused = found.filter((r) => r.severity === "refuse");
    if (refused.length > 0) {
      refusals[host.name] = refused;
      excluded.push({ host: host.name, state: "skipped", reason: refused.map((r) => r.message).join("; ") });
      continue;
    }
    targets[host.name] = {
      toplevel: system.toplevel,
      disko,
      inInstaller: facts.os.variant === "installer",
      disk: disk.ok ? disk.disk : null,
      bootId: facts.bootId,
      warnings: found.map((r) => r.message),
    };
    hosts.push(plannedHost(host, system, disk.ok ? disk.disk : null, facts));
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
      maxUnavailablePerSite: null,
      maxUnavailablePerCluster: {},
      maxUnavailablePerRole: {},
      maxParallelPerRole: {},
      maxFailuresPerSite: null,
      activatingPerSite: hosts.length,
      copyingPerSite: policy.perSite.copying,
      copying: 8,
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

function skipReason(
  host: Host,
  facts: HostFacts | undefined,
  input: InstallInput,
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
  if (!facts) return { state: "deferred", reason: input.silent.get(host.name) ?? "did not answer" };
  if (
    facts.os.id === "nixos" &&
    facts.os.variant !== "installer" &&
    facts.current !== "" &&
    !input.reinstall
  ) {
    return { state: "skipped", reason: "runs NixOS of this fleet already; --reinstall erases it" };
  }
  return null;
}

function plannedHost(
  host: Host,
  system: { toplevel: string; size: number },
  disk: Disk | null,
  facts: HostFacts,
): PlannedHost {
  const erased =
    disk === null
      ? ""
      : `ERASES ${disk.path}${disk.model ? ` ${disk.model}` : ""}${disk.serial ? ` ${disk.serial}` : ""}`;
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
    why: erased,
  };
}
