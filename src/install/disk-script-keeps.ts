/** What a disk script may do to a disk that is not to be erased: what disko does, word for word, which spares what is there. Pure. */
import { type DataDisk, labelOf } from "./data-disks.ts";

/**
 * The first line that does anything else to it; null: none does. `touches`: whether a line names the disk or a partition
 * of it. disko writes a table only where blkid sees nothing, adds the one partition or names it again, and makes a file
 * system only where there is none; of the disks to be erased, and only of those, it has a list, which names this one too
 * if the flake says so and the inventory does not.
 */
export function harmful(script: string, disk: DataDisk, touches: (line: string) => boolean): string | null {
  const lines = commandsOf(script);
  // Without the list no line may speak of a disk by a variable: the name it has is said somewhere else.
  const variable = lines.find((line) => /\$\{?device\b/.test(line));
  if (variable !== undefined) return variable;
  const label = new RegExp(String.raw`(?<![\w.-])${labelOf(disk)}(?![\w.-])`);
  let rest = `\n${lines.join("\n")}\n`;
  for (const block of blocks(disk)) rest = rest.replaceAll(block, "\n");
  return rest.split("\n").find((line) => label.test(line) || touches(line)) ?? null;
}

/** One command a line: continued lines joined, spaces and comments gone. */
const commandsOf = (script: string): readonly string[] =>
  script
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .map((line) => line.trim().replaceAll(/\s+/g, " "))
    .filter((line) => line !== "" && !/^\(? ?#/.test(line));

function blocks(disk: DataDisk): readonly RegExp[] {
  const label = labelOf(disk);
  const whole = oneOf(disk.names);
  const partition = `/dev/disk/by-partlabel/${label}`;
  const named = String.raw`--partition-guid="1:R" --change-name="1:${label}" --typecode=1:\w+ --attributes=1:=:0`;
  const place = oneOf([`/mnt${disk.mountpoint}`]);
  const fs = disk.fsType;
  return [
    [`device=(?:${whole}|${partition})`],
    [`if ! blkid "${whole}" >&2; then`, `sgdisk --clear "${whole}"`, "fi"],
    [`if ! sgdisk --align-end --new=1:0:-0 ${named} "${whole}"`, "then", `sgdisk ${named} "${whole}"`, "fi"],
    [String.raw`partprobe "${whole}" \|\| : #[^\n]*`],
    [
      String.raw`if ! \(blkid "${partition}" \| grep -q 'TYPE='\); then`,
      String.raw`mkfs\.${fs} "${partition}"`,
      "fi",
    ],
    [
      `if ! findmnt "${partition}" "${place}" >/dev/null 2>&1; then`,
      String.raw`mount "${partition}" "${place}" -t "${fs}"(?: -o [\w.=-]+)+`,
      "fi",
    ],
  ].map((block) => new RegExp(String.raw`(?<=\n)${block.join(String.raw`\n`)}(?=\n)`, "g"));
}

const oneOf = (names: readonly string[]): string =>
  `(?:${names.map((n) => n.replaceAll(/[\\^$.*+?|()[\]{}]/g, "\\$&")).join("|")})`;
