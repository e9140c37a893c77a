/**
 * The last look before anything is erased. `disko/*.sh` are what disko (of flake.lock) writes for `flake/lib/layouts.nix`
 * on this disk: `config.disko.devices._disko`.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DiskFacts } from "../../src/host/protocol.ts";
import type { PhaseContext } from "../../src/install/context.ts";
import type { DataDisk } from "../../src/install/data-disks.ts";
import type { Disk } from "../../src/install/disk.ts";
import { assertDisk, assertErasable } from "../../src/install/gates.ts";
import { aHost } from "../support/fleet.ts";
import { aDisk, INSTALLER, someFacts } from "./support.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-gates-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const BY_ID = "/dev/disk/by-id/ata-CT500_S1";
const planned = (more: Partial<Disk> = {}): Disk => ({
  path: BY_ID,
  names: [BY_ID, "/dev/sda"],
  model: "CT500",
  serial: "S1",
  size: aDisk().size,
  contents: [],
  ...more,
});
const context = (disk: Disk | null, disko = "/nonexistent/disko", standIn = false, data: DataDisk[] = []) =>
  ({ host: aHost("node-01"), target: { disk, disko, data }, standIn }) as unknown as PhaseContext;
const installer = (...disks: DiskFacts[]) => someFacts({ os: INSTALLER, disks });
const layout = (name: string) =>
  readFile(fileURLToPath(new URL(`./disko/${name}.sh`, import.meta.url)), "utf8");

/** Null: it may be erased; else what is said against it. */
async function judged(script: string, disks = [aDisk()], disk = planned(), data: DataDisk[] = []) {
  const file = join(dir, "disko");
  await writeFile(file, script);
  return assertErasable(context(disk, file, false, data), installer(...disks)).then(
    () => null,
    (error: Error & { code: string }) => `${error.code}: ${error.message}`,
  );
}

const other = aDisk({ name: "/dev/sdb", serial: "S2", byId: ["/dev/disk/by-id/ata-CT500_S2"] });

describe("a disk script", () => {
  it.each(["ext4", "luks-btrfs", "luks-ext4-bios"])("of the layout %s passes", async (name) => {
    expect(await judged(await layout(name), [aDisk(), other])).toBeNull();
  });
  it("of the lab's own machines passes", async () => {
    const file = new URL("../../src/lab/docker/flake/lib/disko.sh", import.meta.url);
    const script = (await readFile(file, "utf8")).replaceAll("@device@", BY_ID);
    expect(script).toContain(BY_ID);
    expect(await judged(script, [aDisk(), other])).toBeNull();
  });
  it("with a volume group passes, unless another disk may hold one of that name", async () => {
    const script = `pvcreate ${BY_ID}-part2\nvgcreate "a-pool" ${BY_ID}-part2\nlvcreate -n root a-pool
mkfs.ext4 "/dev/a-pool/root"\nmount /dev/mapper/a--pool-root /mnt`;
    expect(await judged(script, [aDisk(), other])).toBeNull();
    const lvm = { ...other, partitions: ["/dev/sdb1 499999 LVM2_member"] };
    expect(await judged(script, [aDisk(), lvm])).toContain("may hold one of the same name");
    expect(await judged(await layout("ext4"), [aDisk(), lvm])).toBeNull();
  });
  it("that finds its partitions by a name another disk has as well is refused", async () => {
    // The system disk of before, left in the machine: udev would show either of the two.
    const script = await layout("luks-btrfs");
    for (const type of ["crypto_LUKS", ""]) {
      const before = {
        ...other,
        partitions: ["/dev/sdb1 1024 vfat ESP", `/dev/sdb2 499999 ${type} disk-main-root`],
      };
      expect(await judged(script, [aDisk(), before])).toContain(
        "/dev/disk/by-id/ata-CT500_S2 has a partition named disk-main-root, too",
      );
      const own = { ...aDisk(), partitions: before.partitions };
      expect(await judged(script, [own, other])).toBeNull();
    }
  });
  it("with partition names and ids of its own making passes", async () => {
    const script = `sgdisk --change-name="1:EFI system" --partition-guid="1:0FC63DAF-8483-4772-8E79-3D69D8477DE4" ${BY_ID}
mkfs.vfat "/dev/disk/by-partlabel/EFI\\x20system"
mount /dev/disk/by-partuuid/0fc63daf-8483-4772-8e79-3d69d8477de4 /mnt`;
    expect(await judged(script)).toBeNull();
  });

  it("that cannot be read, or names no disk, is refused", async () => {
    await expect(assertErasable(context(planned()), installer(aDisk()))).rejects.toMatchObject({
      code: "install-refused",
      message: expect.stringContaining("cannot be read"),
    });
    for (const script of ["", "exec /nix/store/x-disko-format", `# ${BY_ID}\nmkfs.ext4 > /dev/null`])
      expect(await judged(script)).toContain("names no disk");
  });
  it("of other disks only is refused", async () => {
    for (const device of [
      "/dev/md0",
      "/dev/mapper/x",
      "/dev/disk/by-id/ata-CT500_S2",
      "/dev/disk/by-partlabel/root",
    ])
      expect(await judged(`wipefs ${device}`)).toContain(`formats ${device}`);
  });
  it.each([
    "/dev/sdb",
    "/dev/sdb1",
    "/dev/md127",
    "/dev/nbd0",
    "/dev/dm-0",
    "/dev/mapper/data",
    "/dev/pool/root",
    "/dev/disk/by-path/pci-0000:00:1f.2-ata-2",
    "/dev/disk/by-id/ata-CT500_S2-part1",
    "/dev/disk/by-id/ata-CT500_S10",
    "/dev/disk/by-partlabel/other",
    "/dev/disk/by-label/data",
    "/dev/disk/by-uuid/0fc63daf",
    // A shell would find more than its text says.
    "/dev/sd[b-z]",
    "/dev/$name",
    "/dev/disk/by-id/*",
    "/dev",
  ])("that names %s as well is refused", async (device) => {
    for (const line of [
      `wipefs ${device}`,
      `dd of="${device}"`,
      `x=${device}; y`,
      `f(){ wipefs ${device}; }`,
    ])
      expect(await judged(`${await layout("ext4")}\n${line}\n`), line).toContain("also names /dev");
  });
  it("that names a data disk which the plan does not show is refused", async () => {
    expect(await judged(await layout("data"))).toContain("also names /dev/disk/by-id/ata-CT500_S3");
  });
  it("is held to the disk's names of now: the kernel may have numbered them anew", async () => {
    const moved = [aDisk({ name: "/dev/sdb" }), { ...other, name: "/dev/sda" }];
    expect(await judged("wipefs /dev/sda", moved)).toContain("formats /dev/sda");
    expect(await judged(await layout("ext4"), moved)).toBeNull();
    expect(await judged("wipefs /dev/sdb1", moved)).toBeNull();
  });
  it("is not the disk's when a name only begins like it", async () => {
    const nvme = aDisk({ name: "/dev/nvme0n1", byId: [] });
    const disk = planned({ path: "/dev/nvme0n1", names: ["/dev/nvme0n1"] });
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[p0-9a-z-]{0,6}$/), async (tail) => {
        const passes = /^(?:p\d+)?$/.test(tail);
        expect((await judged(`wipefs /dev/nvme0n1\nmkfs /dev/nvme0n1${tail}`, [nvme], disk)) === null).toBe(
          passes,
        );
      }),
    );
  });
  it("is not looked for in a lab: a container has no disk, and a simulated one no script", async () => {
    await assertErasable(context(null), installer(aDisk()));
    await assertErasable(context(planned(), "/nonexistent/disko", true), installer(aDisk()));
  });
});

describe("further disks", () => {
  const id = (n: number) => `/dev/disk/by-id/ata-CT500_S${n}`;
  const blank = { partitions: [], blank: true };
  const made = { partitions: ["/dev/sdb1 499999 ext4 disk-pv-data"] };
  const pvNow = (more: Partial<DiskFacts> = made): DiskFacts => ({ ...other, blank: false, ...more });
  const scratchNow = aDisk({ name: "/dev/sdc", serial: "S3", byId: [id(3)] });
  const further = (n: number, more: Partial<DataDisk>): DataDisk => ({
    ...planned({ path: id(n), names: [id(n), `/dev/sd${"abc"[n - 1]}`], serial: `S${n}` }),
    ...{ name: "pv", mountpoint: "/data", fsType: "ext4", becomes: "kept" },
    ...more,
  });
  const pv = (becomes: DataDisk["becomes"] = "kept") => further(2, { becomes });
  const scratch = further(3, { name: "scratch", mountpoint: "/scratch", fsType: "xfs", becomes: "erased" });
  const judge = async (
    now: DiskFacts,
    { becomes = "kept" as DataDisk["becomes"], script = "" } = {},
    data = [pv(becomes), scratch],
  ) =>
    judged(script || (await layout("data")), [aDisk({ partitions: [] }), now, scratchNow], planned(), data);

  it("pass as they are in the plan: one kept, one erased", async () => {
    expect(await judge(pvNow())).toBeNull();
    // What was in it, mounted by a disko before it failed.
    expect(await judge(pvNow({ ...made, mounted: ["/mnt/data"] }))).toBeNull();
  });
  it("pass numbered anew", async () => {
    const now = pvNow({ name: "/dev/sdc", partitions: ["/dev/sdc1 499999 ext4 disk-pv-data"] });
    const renumbered = [aDisk(), now, { ...scratchNow, name: "/dev/sdb" }];
    expect(await judged(await layout("data"), renumbered, planned(), [pv(), scratch])).toBeNull();
  });
  it("pass when blank, or begun with by a disko that was interrupted", async () => {
    for (const now of [blank, made, { partitions: ["/dev/sdb1 499999  disk-pv-data"] }])
      expect(await judge(pvNow(now), { becomes: "formatted" })).toBeNull();
  });
  it.each([
    ["another file system", ["/dev/sdb1 499999 xfs disk-pv-data"]],
    ["another name", ["/dev/sdb1 499999 ext4 data"]],
    ["no name", ["/dev/sdb1 499999 ext4"]],
    ["more partitions", [...made.partitions, "/dev/sdb2 1 vfat"]],
    ["not the first partition", ["/dev/sdb2 499999 ext4 disk-pv-data"]],
    ["something that is no partition", []],
  ])("are refused with %s", async (_, partitions) => {
    for (const becomes of ["kept", "formatted"] as const)
      expect(await judge(pvNow({ partitions }), { becomes })).toContain("is not what it was when planned");
    expect(await judge(pvNow({ partitions }), { becomes: "erased" })).toBeNull();
  });
  it("are refused when something is gone that was to be kept", async () => {
    expect(await judge(pvNow(blank))).toContain("is not what it was when planned: blank");
    expect(await judge(pvNow({ partitions: ["/dev/sdb1 499999  disk-pv-data"] }))).toContain("is to be kept");
  });
  it("are found by serial and size, each once", async () => {
    expect(await judge(pvNow({ ...made, serial: "S9" }))).toContain("is not there in the installer");
    expect(await judge(pvNow({ ...made, size: 1 }))).toContain("another size than when planned");
    expect(await judge(pvNow(), {}, [pv(), further(2, { becomes: "erased" })])).toContain(
      "another disk of the plan",
    );
    expect(await judge(pvNow(), {}, [further(1, { becomes: "erased" })])).toContain(
      "another disk of the plan",
    );
  });
  it("are named by the script, all of them, and nothing else is", async () => {
    expect(await judge(pvNow(), { script: await layout("ext4") })).toContain(`does not name ${id(2)}`);
    expect(await judge(pvNow(), {}, [pv()])).toContain(`also names ${id(3)}`);
  });
  it("to be kept are refused to a script that would erase them", async () => {
    const script = await layout("data");
    const all = script.replace(`in ${id(1)} ${id(3)};`, `in ${id(1)} ${id(2)} ${id(3)};`);
    expect(all).not.toBe(script);
    expect(await judge(pvNow(), { script: all })).toContain(`does not leave ${id(2)} as it is: for dev in`);
    expect(await judge(pvNow(), { script: all, becomes: "erased" })).toBeNull();
    expect(await judge(pvNow(blank), { script: all, becomes: "formatted" })).toContain("does not leave");
  });
  it.each([
    ["a table whatever is there", `if ! blkid "${id(2)}" >&2; then`, "if true; then"],
    [
      "a file system whatever is there",
      `grep -q 'TYPE='); then\n        mkfs.ext4`,
      "true); then\n mkfs.ext4",
    ],
    ["another file system", /mkfs\.ext4([^"]*"\/dev\/disk\/by-partlabel\/disk-pv-data")/, "mkfs.xfs$1"],
    [
      "a file system by force",
      /mkfs\.ext4([^"]*"\/dev\/disk\/by-partlabel\/disk-pv-data")/,
      "mkfs.ext4 -F$1",
    ],
    ["another partition", /--new=1:0:-0([^$]*?disk-pv-data)/, "--new=2:0:-0$1"],
    ["its partition another name", /1:disk-pv-data/g, "1:disk-pv-other"],
    ["a partition of another disk its name", /1:disk-main-esp/g, "1:disk-pv-data"],
    ["a table by a variable", /partprobe/, 'sgdisk --zap-all "$device"\npartprobe'],
    ["its partition wiped", /partprobe/, "wipefs -a /dev/disk/by-partlabel/disk-pv-data\npartprobe"],
    ["its partition wiped by number", /partprobe/, `wipefs -a ${id(2)}-part1\npartprobe`],
    ["its partition wiped by the kernel's name", /partprobe/, "wipefs -a /dev/sdb1\npartprobe"],
  ])("to be kept are refused to a script that would make %s", async (_, what, instead) => {
    const script = await layout("data");
    const at = script.indexOf(`sgdisk --clear "${id(2)}"`) - 200;
    const changed = String(what).includes("main")
      ? script.replace(what, instead)
      : script.slice(0, at) + script.slice(at).replace(what, instead);
    expect(changed).not.toBe(script);
    expect(await judge(pvNow(), { script: changed })).toMatch(/does not leave|finds its own|also names/);
  });
  it("to be kept are refused to a script with any further line that names them", async () => {
    const script = await layout("data");
    const lines = script.split("\n");
    const names = [id(2), `${id(2)}-part1`, "/dev/sdb", "/dev/sdb1", "/dev/disk/by-partlabel/disk-pv-data"];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(lines.length),
        fc.constantFrom(...names),
        fc.constantFrom(
          "wipefs -a X",
          'mkfs.ext4 "X"',
          "dd of=X",
          'sgdisk --clear "X"',
          'blkdiscard "X" || :',
        ),
        async (at, name, command) => {
          const line = `\n:\n${command.replace("X", name)}\n:\n`;
          const more = [...lines.slice(0, at), line, ...lines.slice(at)].join("\n");
          expect(await judge(pvNow(), { script: more })).toContain("does not leave");
        },
      ),
      { numRuns: 60 },
    );
  });
  it("that are no part of the plan still may not be found by a name of theirs", async () => {
    const twin = aDisk({
      name: "/dev/sdd",
      serial: "S4",
      byId: [id(4)],
      partitions: ["/dev/sdd1 1 ext4 disk-pv-data"],
    });
    const disks = [aDisk(), pvNow(), scratchNow, twin];
    expect(await judged(await layout("data"), disks, planned(), [pv(), scratch])).toContain(
      "by which its disk script",
    );
  });
});

describe("the planned disk", () => {
  const stick = (more: Partial<DiskFacts> = {}) =>
    aDisk({ name: "/dev/sda", serial: "", byId: [], removable: true, ...more });
  const moved = aDisk({ name: "/dev/sdb" });
  const found = (disks: DiskFacts[], disk = planned()) => assertDisk(context(disk), installer(...disks));

  it("is known by its serial, whatever has its old name now", () => {
    expect(found([stick(), moved])).toBe(moved);
    expect(found([stick({ size: 1 }), moved])).toBe(moved);
    expect(() => found([stick()])).toThrow("is not there in the installer");
    expect(() => found([{ ...moved, size: 1 }])).toThrow("another size");
    expect(() => found([moved, { ...other, serial: "S1" }])).toThrow("could be any of 2 disks");
  });
  it("is known by name only when it has no serial, and by the kernel's only when it has no other", () => {
    const plain = aDisk({ serial: "", byId: [] });
    expect(found([plain], planned({ serial: "", names: ["/dev/sda"] }))).toBe(plain);
    const named = aDisk({ serial: "", name: "/dev/sdb" });
    expect(found([stick(), named], planned({ serial: "" }))).toBe(named);
    expect(() => found([stick()], planned({ serial: "" }))).toThrow("is not there in the installer");
  });
});
