/** Which disk an installation may erase. Anything but one certain answer is a refusal. Pure. */
import type { DiskFacts, HostFacts } from "../host/protocol.ts";
import type { Host } from "../inventory/model.ts";
import type { Refusal } from "./checks/index.ts";

export interface Disk {
  /** `/dev/disk/by-id/…` where there is one. */
  readonly path: string;
  /** Every name it had when it was chosen. */
  readonly names: readonly string[];
  readonly model: string;
  readonly serial: string;
  /** KiB. */
  readonly size: number;
  /** What is on it now: file systems and labels, for the plan. */
  readonly contents: readonly string[];
}

export type DiskChoice =
  | { readonly ok: true; readonly disk: Disk }
  | { readonly ok: false; readonly refusal: Refusal };

export function chooseDisk(host: Host, facts: HostFacts): DiskChoice {
  const { device, serial } = host.disk;
  // A card reader without a card is a disk of no size.
  const data = Object.values(host.disk.data).map((d) => d.device);
  const fixed = facts.disks.filter(
    (d) => !d.removable && d.size > 0 && !namesOf(d).some((n) => data.includes(n)),
  );
  const wanted = device === "auto" || device === "facts" ? null : device;
  const matching =
    wanted === null ? fixed : facts.disks.filter((d) => devicePath(d) === wanted || d.byId.includes(wanted));
  const candidates = serial === undefined ? matching : matching.filter((d) => d.serial === serial);
  const list = facts.disks.map(named).join(", ") || "none";

  if (wanted !== null && matching.length === 0) {
    return refuse("disk-missing", `${wanted} is not on this machine`, `its disks are: ${list}`);
  }
  if (serial !== undefined && candidates.length === 0) {
    return refuse(
      "disk-serial",
      `no disk has the serial ${serial} the inventory states`,
      `its disks are: ${list}`,
    );
  }
  if (candidates.length === 0)
    return refuse("disk-none", "there is no fixed disk to install to", `its disks are: ${list}`);
  const [disk, ...others] = candidates;
  if (!disk || others.length > 0) {
    return refuse(
      "disk-ambiguous",
      `${candidates.length} disks could be meant: ${candidates.map(named).join(", ")}`,
      "name one by id: disk.device: /dev/disk/by-id/…",
    );
  }
  const kept = host.disk.keep.find((k) => namesOf(disk).includes(k));
  if (kept !== undefined)
    return refuse("disk-kept", `${kept} is one of the disks to keep (disk.keep)`, "name another disk.device");
  if (disk.removable)
    return refuse("disk-removable", `${named(disk)} is removable`, "installations go to fixed disks only");
  return { ok: true, disk: asDisk(disk, wanted ?? disk.byId[0] ?? devicePath(disk)) };
}

export const asDisk = (d: DiskFacts, path: string): Disk => ({
  path,
  names: namesOf(d),
  model: d.model,
  serial: d.serial,
  size: d.size,
  contents: [
    ...d.partitions,
    // A file system, volume group or array on the whole of it, or remains that only look like nothing.
    ...(d.partitions.length === 0 && !d.blank ? ["no partitions, but not blank either"] : []),
    ...(d.mounted.length > 0 ? [`mounted at ${d.mounted.join(", ")}`] : []),
  ],
});

/** As `facts.sh` writes them, see `DiskFacts`. */
export const partitionsOf = (
  d: DiskFacts,
): readonly { readonly device: string; readonly type: string; readonly label: string }[] =>
  d.partitions.map((p) => {
    const [device = "", , type = "", ...words] = p.split(" ");
    return { device, type, label: words.join(" ") };
  });

/** Stable names first, the kernel's last. */
export const namesOf = (d: DiskFacts): readonly string[] => [...d.byId, devicePath(d)];
const devicePath = (d: DiskFacts): string => (d.name.startsWith("/") ? d.name : `/dev/${d.name}`);
export const named = (d: DiskFacts): string =>
  `${d.byId[0] ?? devicePath(d)}${d.model || d.serial ? ` (${[d.model, d.serial].filter(Boolean).join(", serial ")})` : ""}`;

function refuse(code: string, message: string, fix: string): DiskChoice {
  return { ok: false, refusal: { code, severity: "refuse", message, fix } };
}
