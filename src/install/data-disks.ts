/** Further disks: erased, made anew where they are blank, or left exactly as they are. Anything else is a refusal. Pure. */
import type { DiskFacts, HostFacts } from "../host/protocol.ts";
import type { DataDiskConfig, Host } from "../inventory/model.ts";
import type { Refusal } from "./checks/index.ts";
import { asDisk, type Disk, named, namesOf, partitionsOf } from "./disk.ts";

export interface DataDisk extends Disk {
  /** The inventory's and disko's word for it. */
  readonly name: string;
  readonly mountpoint: string;
  readonly fsType: string;
  /** `formatted`: it was blank when planned. `kept`: it was as `flake/lib/layouts.nix` makes it. */
  readonly becomes: "erased" | "formatted" | "kept";
}

/** What disko calls the one partition of it, and finds it by. */
export const labelOf = ({ name }: Pick<DataDisk, "name">): string => `disk-${name}-data`;

/**
 * What is on a disk that is not to be erased. disko leaves it alone only where nothing is to be done: it writes a table
 * over whatever is none, and a file system over whatever blkid does not know. `begun`: the partition without its file
 * system, as an interrupted disko leaves a blank disk.
 */
export function stateOf(
  disk: DiskFacts,
  wanted: Pick<DataDisk, "name" | "fsType">,
): "blank" | "as-made" | "begun" | "other" {
  const [only, ...more] = partitionsOf(disk);
  if (only === undefined) return disk.blank && disk.mounted.length === 0 ? "blank" : "other";
  // disko looks for its first partition, not for any.
  const first = /^p?1$/.test(only.device.slice(namesOf(disk).at(-1)?.length));
  if (more.length > 0 || !first || only.label !== labelOf(wanted)) return "other";
  if (only.type === wanted.fsType) return "as-made";
  return only.type === "" ? "begun" : "other";
}

/** The disks `disk.data` names, as they are in the machine; `system` is taken. */
export function chooseDataDisks(
  host: Host,
  facts: HostFacts,
  system: Disk,
): { readonly data: readonly DataDisk[]; readonly refusals: readonly Refusal[] } {
  const data: DataDisk[] = [];
  const refusals: Refusal[] = [];
  for (const [name, wanted] of Object.entries(host.disk.data)) {
    const found = choose(name, wanted, { host, facts, system, others: data });
    if ("becomes" in found) data.push(found);
    else refusals.push(found);
  }
  return { data, refusals };
}

interface Surroundings {
  readonly host: Host;
  readonly facts: HostFacts;
  readonly system: Disk;
  readonly others: readonly DataDisk[];
}

function choose(name: string, wanted: DataDiskConfig, about: Surroundings): DataDisk | Refusal {
  const { host, facts, system, others } = about;
  const { device, serial, mountpoint, fsType, erase } = wanted;
  const [found, ...more] = facts.disks.filter((d) => namesOf(d).includes(device));
  const list = `the machine's disks are: ${facts.disks.map(named).join(", ") || "none"}`;
  if (!found || found.size === 0)
    return refuse("data-disk-missing", name, `${device} is not on this machine`, list);
  if (more.length > 0) return refuse("data-disk-ambiguous", name, `${device} could be several disks`, list);
  const is = (d: Disk) => namesOf(found).some((n) => d.names.includes(n));
  const other = others.find(is)?.name;
  if (is(system) || other !== undefined)
    return refuse(
      "data-disk-taken",
      name,
      `${device} is ${other === undefined ? "the system's disk" : `the disk of ${other}`} by another name`,
      "name another device",
    );
  if (serial !== undefined && found.serial !== serial)
    return refuse(
      "data-disk-serial",
      name,
      `${named(found)} has not the serial ${serial} the inventory states`,
      list,
    );
  if (found.removable)
    return refuse(
      "data-disk-removable",
      name,
      `${named(found)} is removable`,
      "data is kept on fixed disks only",
    );
  const state = stateOf(found, { name, fsType });
  const becomes = erase ? "erased" : state === "blank" ? "formatted" : "kept";
  if (becomes !== "kept" && host.disk.keep.some((k) => namesOf(found).includes(k)))
    return refuse(
      "data-disk-kept",
      name,
      `${named(found)} would be ${becomes}, but is one of the disks to keep (disk.keep)`,
      `take it out of disk.keep, or of disk.data`,
    );
  const disk = { ...asDisk(found, device), name, mountpoint, fsType, becomes } as const;
  if (becomes !== "kept" || state === "as-made") return disk;
  const label = labelOf(disk);
  return refuse(
    "data-disk-unknown",
    name,
    `${named(found)} is neither blank nor one partition named ${label} with ${fsType}: ${disk.contents.join(", ")}`,
    `erase: true to lose what is on it; or, if its only partition has ${fsType}, give it its name: sgdisk --change-name=1:${label} ${device}`,
  );
}

const refuse = (code: string, name: string, message: string, fix: string): Refusal => ({
  code,
  severity: "refuse",
  message: `disk.data.${name}: ${message}`,
  fix,
});
