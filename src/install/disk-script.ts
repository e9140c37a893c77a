/** What a disk script says it will touch: the last look before anything is erased. Pure. */
import type { Disk } from "./disk.ts";

/** Whole disks and partitions a script names below /dev, in order of appearance. */
export function devicesIn(script: string): readonly string[] {
  const found = script.match(
    /\/dev\/(?:disk\/by-[a-z]+\/[A-Za-z0-9._:+@-]+|(?:sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]+|nvme\d+n\d+|mmcblk\d+)(?:p?\d+)?)/g,
  );
  return [...new Set(found ?? [])].filter((path) => !/^\/dev\/disk\/by-part(label|uuid)\//.test(path));
}

/** Null when the script touches the planned disk and, of the machine's other disks, none; else what is wrong. */
export function scriptProblem(
  script: string,
  disk: Disk,
  others: readonly (readonly string[])[],
): string | null {
  const devices = devicesIn(script);
  if (devices.length === 0) return null;
  const isPartOf = (device: string, names: readonly string[]) =>
    names.some(
      (n) => device === n || (device.startsWith(n) && /^(-part|p)?\d+$/.test(device.slice(n.length))),
    );
  if (!devices.some((d) => isPartOf(d, disk.names))) {
    return `its disk script formats ${devices[0]}, which is not ${disk.path}`;
  }
  const foreign = devices.find((d) => others.some((names) => isPartOf(d, names)));
  return foreign === undefined ? null : `its disk script also names ${foreign}`;
}
