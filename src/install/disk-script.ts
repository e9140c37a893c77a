/** What a disk script says it will touch: the last look before anything is erased. What it cannot tell, it refuses. Pure. */
import type { DataDisk } from "./data-disks.ts";
import type { Disk } from "./disk.ts";
import { harmful } from "./disk-script-keeps.ts";

/** Paths below /dev that a script names, in order of appearance; lines of comment, and what is no disk, left out. */
function devicesIn(script: string): readonly string[] {
  const code = script.replaceAll(/^[ \t]*#.*$/gm, "");
  const found = code.match(/\/dev(?=[\s"'`;|&<>()/]|$)[^\s"'`;|&<>()]*/gm) ?? [];
  return [...new Set(found.map((path) => path.replace(/\\$/, "")))].filter((path) => !NO_DISK.test(path));
}

const NO_DISK = /^\/dev\/(?:null|zero|full|u?random|tty|console|std(?:in|out|err)|fd(?:\/\d+)?)$/;

/**
 * Null when the script names the planned disks, and nothing but them, their partitions and what the script makes of
 * them; and does nothing to `data` that is not to be erased but what disko does.
 */
export function scriptProblem(script: string, disk: Disk, data: readonly DataDisk[] = []): string | null {
  const devices = devicesIn(script);
  const [first] = devices;
  if (first === undefined) return "its disk script names no disk";
  if (!devices.some((d) => isPartOf(d, disk.names)))
    return `its disk script formats ${first}, which is not ${disk.path}`;
  const unnamed = data.find((each) => !devices.some((d) => isPartOf(d, each.names)));
  if (unnamed !== undefined)
    return `its disk script does not name ${unnamed.path}, which is to be ${unnamed.becomes}`;
  const made = madeBy(script);
  const known = [disk, ...data];
  const foreign = devices.find((d) => !known.some((k) => isPartOf(d, k.names)) && !made(d));
  if (foreign !== undefined)
    return `its disk script also names ${foreign}, which nothing proves to be part of ${known.map((k) => k.path).join(" or ")}`;
  for (const each of data.filter((d) => d.becomes !== "erased")) {
    const line = harmful(script, each, (text) => devicesIn(text).some((d) => isPartOf(d, each.names)));
    if (line !== null) return `its disk script does not leave ${each.path} as it is: ${line}`;
  }
  return null;
}

/** Whether a script makes or uses volume groups: the kernel would take one of the same name from any disk. */
export const usesVolumeGroups = (script: string): boolean => /\bvg(?:create|change|extend)\b/.test(script);

/** Labels a script gives to partitions, by which it then finds them. */
export const labelsIn = (script: string): ReadonlySet<string> =>
  new Set(all(script, /--change-name=(?<quote>["']?)\d+:(?<it>.*?)\k<quote>(?=\s)/g));

const all = (script: string, pattern: RegExp): readonly string[] =>
  [...script.matchAll(pattern)].map((m) => m.groups?.it ?? "");

/** The disk, or a partition of it as the kernel and udev number them: `nvme0n11` is none of `nvme0n1`. */
function isPartOf(device: string, names: readonly string[]): boolean {
  return names.some((name) => {
    if (!device.startsWith(name)) return false;
    const rest = device.slice(name.length);
    if (name.startsWith("/dev/disk/")) return /^(?:-part\d+)?$/.test(rest);
    return (/\d$/.test(name) ? /^(?:p\d+)?$/ : /^\d*$/).test(rest);
  });
}

/**
 * Names that exist because the script makes them, on devices that are looked at themselves: partitions by the label or
 * id it gives them, what it opens with cryptsetup, logical volumes of the groups it creates.
 */
function madeBy(script: string): (device: string) => boolean {
  const labels = labelsIn(script);
  const ids = new Set(
    all(script, /--partition-guid=["']?\d+:(?<it>[0-9A-Fa-f-]{36})/g).map((id) => id.toLowerCase()),
  );
  const opened = new Set(
    all(
      script,
      /cryptsetup\s+(?:-\S+\s+)*(?:open|luksOpen)\s+(?:-\S+\s+)*["']?\/dev\/[^\s"']+["']?\s+["']?(?<it>[\w.+-]+)/g,
    ),
  );
  const groups = all(script, /\bvgcreate\s+(?:-\S+\s+)*["']?(?<it>[\w.+-]+)/g);
  return (device) => {
    const [, kind = "", name = ""] =
      /^\/dev\/(mapper|disk\/by-partlabel|disk\/by-partuuid)\/(.+)$/.exec(device) ?? [];
    if (kind === "disk/by-partlabel") return labels.has(asWritten(name));
    if (kind === "disk/by-partuuid") return ids.has(name.toLowerCase());
    const volume = (group: string) => `/dev/mapper/${group.replaceAll("-", "--")}-`;
    return (
      (kind === "mapper" && opened.has(name)) ||
      groups.some(
        (g) => /^[\w.+-]+$/.test(under(`/dev/${g}/`, device)) || /^[\w.+-]+$/.test(under(volume(g), device)),
      )
    );
  };
}

const under = (prefix: string, path: string): string =>
  path.startsWith(prefix) ? path.slice(prefix.length) : "";

/** udev writes what is no plain character as `\x20`. */
const asWritten = (name: string): string =>
  name.replaceAll(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
