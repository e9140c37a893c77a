/** What is in front of and around the root file system on the machine's disk, for either kind of firmware. */
import { copyFile, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Base } from "./base.ts";

const SECTOR = 512;
const FIRST_SECTOR = 2048;
const SECTORS_PER_MIB = 2048;
const ROOT_MIB = 3072;
const ESP_MIB = 128;

/** BIOS with GRUB, UEFI with systemd-boot. */
export type Loader = "grub" | "systemd-boot";

interface Partition {
  readonly type: number;
  readonly start: number;
  readonly mib: number;
}

/**
 * Makes the disk at `path`; the root file system is a copy of `root`. With an EFI partition, what is in `root`'s /boot
 * moves there.
 */
export async function writeDisk(base: Base, loader: Loader, root: string, path: string, signal: AbortSignal) {
  const run = (file: string, args: readonly string[]) => execa(file, args, { cancelSignal: signal });
  const esp: Partition = { type: 0xef, start: FIRST_SECTOR, mib: ESP_MIB };
  const rootStart = loader === "grub" ? FIRST_SECTOR : FIRST_SECTOR + ESP_MIB * SECTORS_PER_MIB;
  const rootPartition: Partition = { type: 0x83, start: rootStart, mib: ROOT_MIB };
  await (loader === "grub" ? grubSectors(base, path) : writeFile(path, Buffer.alloc(SECTOR)));
  await partitionTable(path, loader === "grub" ? [rootPartition] : [esp, rootPartition]);
  if (loader === "systemd-boot") {
    const image = `${path}.esp`;
    await run("truncate", ["-s", `${esp.mib}M`, image]);
    await run("mkfs.vfat", ["-F", "32", "-n", "ESP", image]);
    const files = ["EFI", "loader"].map((name) => join(root, "boot", name));
    await run("mcopy", ["-s", "-i", image, ...files, "::/"]);
    const seek = (esp.start * SECTOR) / 1024 ** 2;
    await run("dd", [`if=${image}`, `of=${path}`, "bs=1M", `seek=${seek}`, "conv=notrunc,sparse"]);
    await rm(image);
    for (const file of files) await rm(file, { recursive: true });
  }
  await run("mkfs.ext4", [
    ...["-q", "-F", "-L", "nixos", "-O", "^orphan_file,^metadata_csum_seed", "-d", root],
    ...["-E", `offset=${rootPartition.start * SECTOR}`, path, `${rootPartition.mib}M`],
  ]);
}

/** What `grub-install` would write, without a device to ask: GRUB's first sector and its core. */
async function grubSectors(base: Base, path: string): Promise<void> {
  await copyFile(base.file("boot.img"), path);
  const core = await readFile(base.file("core.img"));
  if (core.length > (FIRST_SECTOR - 1) * SECTOR)
    throw new Error("GRUB does not fit in front of the partition");
  const disk = await open(path, "r+");
  await disk.write(core, 0, core.length, SECTOR);
  await disk.close();
}

async function partitionTable(path: string, partitions: readonly Partition[]): Promise<void> {
  // All four entries: what GRUB's first sector has there is code for floppy disks.
  const table = Buffer.alloc(64);
  partitions.forEach(({ type, start, mib }, i) => {
    const at = i * 16;
    table.writeUInt8(type === 0x83 && partitions.length === 1 ? 0x80 : 0, at);
    table.fill(0xff, at + 1, at + 4);
    table.writeUInt8(type, at + 4);
    table.fill(0xff, at + 5, at + 8);
    table.writeUInt32LE(start, at + 8);
    table.writeUInt32LE(mib * SECTORS_PER_MIB, at + 12);
  });
  const last = partitions.at(-1);
  if (last === undefined) throw new Error("no partition");
  const disk = await open(path, "r+");
  await disk.write(table, 0, table.length, 446);
  await disk.write(Buffer.from([0x55, 0xaa]), 0, 2, 510);
  await disk.truncate((last.start + last.mib * SECTORS_PER_MIB) * SECTOR);
  await disk.close();
}
