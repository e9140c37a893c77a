import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { targetLines } from "../../src/cli/install-view.ts";
import { judge } from "../../src/install/checks/index.ts";
import { chooseDataDisks } from "../../src/install/data-disks.ts";
import { chooseDisk } from "../../src/install/disk.ts";
import { type InstallInput, losesData, planInstall } from "../../src/install/plan.ts";
import type { Host } from "../../src/inventory/model.ts";
import { aHost, anInventory, sha256, system } from "../support/fleet.ts";
import { aDisk, INSTALLER, someFacts } from "./support.ts";

const BY_ID = "/dev/disk/by-id/ata-CT500_S1";
const host = (more: Partial<Host> = {}) => {
  const base = aHost("node-01");
  return { ...base, disk: { ...base.disk, device: BY_ID }, ...more };
};
const withDisk = (disk: Partial<Host["disk"]>) => host({ disk: { ...host().disk, ...disk } });
const refusal = (h: Host, f: ReturnType<typeof someFacts>) => {
  const choice = chooseDisk(h, f);
  return choice.ok ? null : choice.refusal.code;
};

describe("the disk", () => {
  it("is the one the inventory names", () => {
    expect(chooseDisk(host(), someFacts())).toMatchObject({ ok: true, disk: { path: BY_ID, serial: "S1" } });
  });
  const usb = aDisk({ name: "/dev/sdb", serial: "U", byId: ["/dev/disk/by-id/usb-X"], removable: true });
  const second = aDisk({ name: "/dev/sdb", serial: "S2", byId: ["/dev/disk/by-id/ata-CT500_S2"] });
  it.each([
    ["is gone", withDisk({ device: "/dev/disk/by-id/ata-OTHER" }), [aDisk()], "disk-missing"],
    ["has another serial", withDisk({ serial: "S9" }), [aDisk()], "disk-serial"],
    ["is ambiguous", withDisk({ device: "auto" }), [aDisk(), second], "disk-ambiguous"],
    ["is removable", withDisk({ device: "/dev/disk/by-id/usb-X" }), [aDisk(), usb], "disk-removable"],
    ["is not there", withDisk({ device: "auto" }), [usb], "disk-none"],
    ["is to be kept", withDisk({ keep: [BY_ID] }), [aDisk()], "disk-kept"],
  ])("is refused when it %s", (_, h, disks, code) => {
    expect(refusal(h, someFacts({ disks }))).toBe(code);
  });
  it("is told apart by serial where two could be meant", () => {
    const choice = chooseDisk(
      withDisk({ device: "auto", serial: "S2" }),
      someFacts({ disks: [aDisk(), second] }),
    );
    expect(choice).toMatchObject({ ok: true, disk: { serial: "S2" } });
  });
});

describe("further disks", () => {
  const pv = {
    device: "/dev/disk/by-id/ata-CT500_S2",
    mountpoint: "/data",
    fsType: "ext4",
    erase: false,
  } as const;
  const now = (more: Partial<ReturnType<typeof aDisk>> = {}) =>
    aDisk({ name: "/dev/sdb", serial: "S2", byId: [pv.device, "/dev/disk/by-id/wwn-0x2"], ...more });
  const made = { partitions: ["/dev/sdb1 499999 ext4 disk-pv-data"] };
  const choose = (
    more: Partial<Host["disk"]["data"][string]>,
    disk: Partial<ReturnType<typeof aDisk>> | null,
    of = {},
  ) => {
    const h = withDisk({ data: { pv: { ...pv, ...more } }, ...of });
    const facts = someFacts({ disks: [aDisk(), ...(disk ? [now(disk)] : [])] });
    const system = chooseDisk(h, facts);
    if (!system.ok) throw new Error(system.refusal.message);
    return chooseDataDisks(h, facts, system.disk);
  };

  it("are kept as they were made, formatted when blank, erased only when that is said", () => {
    const becomes = (more: { erase?: boolean }, disk: Partial<ReturnType<typeof aDisk>>) => {
      const { data, refusals } = choose(more, disk);
      expect(refusals).toEqual([]);
      return data.map((d) => d.becomes);
    };
    expect(becomes({}, made)).toEqual(["kept"]);
    expect(becomes({}, { ...made, mounted: ["/data"] })).toEqual(["kept"]);
    expect(becomes({}, { partitions: [] })).toEqual(["formatted"]);
    for (const disk of [made, { partitions: [] }, {}, { partitions: [], blank: false }])
      expect(becomes({ erase: true }, disk)).toEqual(["erased"]);
  });

  const elsewhere = "/dev/disk/by-id/ata-OTHER";
  it.each([
    ["is gone", {}, null, {}, "data-disk-missing"],
    ["has no medium", {}, { size: 0 }, {}, "data-disk-missing"],
    ["has another serial", { serial: "S9" }, made, {}, "data-disk-serial"],
    ["is removable", {}, { ...made, removable: true }, {}, "data-disk-removable"],
    ["is the system's by another name", { device: "/dev/disk/by-id/wwn-0x1" }, null, {}, "data-disk-taken"],
    [
      "is to be kept and erased",
      { erase: true },
      made,
      { keep: ["/dev/disk/by-id/wwn-0x2"] },
      "data-disk-kept",
    ],
    ["is to be kept and blank", {}, { partitions: [] }, { keep: [pv.device] }, "data-disk-kept"],
    ["has something without a partition", {}, { partitions: [], blank: false }, {}, "data-disk-unknown"],
    [
      "is in use without a partition",
      {},
      { partitions: [], blank: true, mounted: ["/x"] },
      {},
      "data-disk-unknown",
    ],
    ["has another file system", { fsType: "xfs" as const }, made, {}, "data-disk-unknown"],
    [
      "has a file system nobody knows",
      {},
      { partitions: ["/dev/sdb1 9  disk-pv-data"] },
      {},
      "data-disk-unknown",
    ],
    ["has another name", {}, {}, {}, "data-disk-unknown"],
  ])("are refused when one %s", (_, more, disk, of, code) => {
    const system = aDisk({ byId: [BY_ID, "/dev/disk/by-id/wwn-0x1"] });
    const h = withDisk({ data: { pv: { ...pv, ...more } }, ...of });
    const facts = someFacts({ disks: [system, ...(disk ? [now(disk)] : [])] });
    const chosen = chooseDisk(h, facts);
    const { data, refusals } = chooseDataDisks(h, facts, chosen.ok ? chosen.disk : expect.fail());
    expect(data).toEqual([]);
    expect(refusals).toMatchObject([
      { code, severity: "refuse", message: expect.stringContaining("disk.data.pv: ") },
    ]);
  });

  it("are two disks, not one by two names", () => {
    const data = { pv, more: { ...pv, device: "/dev/disk/by-id/wwn-0x2", erase: true } };
    const { refusals } = choose({}, made, { data });
    expect(refusals).toMatchObject([
      { code: "data-disk-taken", message: expect.stringContaining("the disk of pv") },
    ]);
  });

  it("whatever is on one that is not to be erased: it is as it was made, blank, or refused", () => {
    const word = fc.constantFrom("ext4", "xfs", "", "LVM2_member");
    const label = fc.constantFrom("", " disk-pv-data", " disk-pv-dat", " disk-pv-data x", " data");
    const partition = fc
      .tuple(fc.constantFrom("1", "2", "11"), word, label)
      .map(([n, type, name]) => `/dev/sdb${n} 9 ${type}${name}`);
    fc.assert(
      fc.property(fc.array(partition, { maxLength: 2 }), fc.boolean(), (partitions, blank) => {
        const { data } = choose({}, { partitions, blank });
        const expected =
          partitions.length === 0 && blank
            ? ["formatted"]
            : partitions.join() === "/dev/sdb1 9 ext4 disk-pv-data"
              ? ["kept"]
              : [];
        expect(data.map((d) => d.becomes)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("say how to keep what is there", () => {
    expect(choose({}, {}).refusals[0]?.fix).toContain(`sgdisk --change-name=1:disk-pv-data ${pv.device}`);
  });
  it("are no choice for a system that is to find its own", () => {
    const h = withDisk({ device: "auto", data: { other: { ...pv, device: elsewhere }, pv } });
    expect(chooseDisk(h, someFacts({ disks: [now(), aDisk()] }))).toMatchObject({ disk: { path: BY_ID } });
  });
});

describe("checks", () => {
  const codes = (more: Parameters<typeof someFacts>[0], h = host()) =>
    judge(h, someFacts(more)).map((r) => r.code);
  it.each([
    [{}, []],
    [{ arch: "aarch64" }, ["arch"]],
    [{ container: "lxc" }, ["container"]],
    [{ memory: 1_000_000 }, ["memory"]],
    [{ bootMode: "bios" as const }, ["boot-mode"]],
    [{ kexec: false }, ["kexec"]],
    [{ elevation: "none" as const }, ["elevation"]],
    [{ elevation: "doas" as const, tools: ["tar", "cpio", "setsid", "sudo"] }, ["sudo"]],
    [{ tools: ["tar"] }, ["tools"]],
    [{ uplink: { device: "wlan0", kind: "wifi" as const, mac: "" } }, ["wifi"]],
    [{ uplink: { device: "br0", kind: "bridge" as const, mac: "" } }, ["bridge"]],
    // An installer needs no kexec and none of its tools.
    [
      { os: INSTALLER, kexec: false, tools: [], uplink: { device: "wlan0", kind: "wifi" as const, mac: "" } },
      [],
    ],
    [{ os: INSTALLER, secureBoot: true }, ["secure-boot"]],
  ])("%o: %o", (more, expected) => expect(codes(more)).toEqual(expected));

  it("refuses a machine that is not the recorded one", () => {
    expect(codes({}, host({ identity: { hostKeys: [], mac: "52:54:00:ff:ff:ff" } }))).toEqual(["identity"]);
    expect(codes({}, host({ identity: { hostKeys: [], mac: "52:54:00:00:00:01" } }))).toEqual([]);
  });
});

describe("a plan", () => {
  const plan = (more: Partial<InstallInput> = {}) => {
    const hosts = more.hosts ?? [host()];
    return planInstall({
      id: "i-1",
      inventory: anInventory(hosts),
      hosts,
      revision: "r2",
      now: 1,
      facts: new Map([["node-01", someFacts()]]),
      silent: new Map(),
      systems: new Map([["node-01", { toplevel: system("node-01", "r2"), size: 10 }]]),
      disko: new Map([["node-01", "/nix/store/x-disko"]]),
      reinstall: false,
      digest: sha256,
      ...more,
    });
  };
  const facts = (more: Parameters<typeof someFacts>[0]) => new Map([["node-01", someFacts(more)]]);

  it("shows what will be erased, and knows that something would be lost", () => {
    const { targets } = plan();
    expect(targets["node-01"]?.disk).toMatchObject({ path: BY_ID, contents: ["/dev/sda1 499999 ext4"] });
    expect(targets["node-01"] && losesData(targets["node-01"])).toBe(true);
    const blank = plan({ facts: facts({ os: INSTALLER, disks: [aDisk({ partitions: [] })] }) }).targets[
      "node-01"
    ];
    expect(blank && losesData(blank)).toBe(false);
  });

  it("shows what becomes of further disks, and has each of them confirmed", () => {
    const device = "/dev/disk/by-id/ata-CT500_S2";
    const of = (erase: boolean, partitions: string[]) => {
      const hosts = [
        withDisk({ data: { pv: { device, mountpoint: "/data", fsType: "ext4", erase, serial: "S2" } } }),
      ];
      const second = aDisk({ name: "/dev/sdb", serial: "S2", byId: [device], partitions });
      const disks = [aDisk({ partitions: [] }), second];
      return plan({ hosts, facts: facts({ os: INSTALLER, disks }) });
    };
    const made = ["/dev/sdb1 499999 ext4 disk-pv-data"];
    const shown = (p: ReturnType<typeof plan>) => {
      const target = p.targets["node-01"] ?? expect.fail(JSON.stringify(p.refusals));
      const text = targetLines(target).map((l) => l.map((s) => s.text).join(""));
      return {
        text: text.filter((l) => !l.startsWith("    ERASES /dev/disk/by-id/ata-CT500_S1")),
        loses: losesData(target),
      };
    };
    const about = `${device}  CT500, serial S2, 477 GiB  ext4 at /data`;
    const empty = (loses: boolean) => `           which is empty${loses ? "" : ": nothing is lost"}`;
    expect(shown(of(false, made))).toEqual({
      text: [empty(false), `    keeps ${about}`, `           ${made[0]}`],
      loses: false,
    });
    expect(shown(of(true, made))).toEqual({
      text: [empty(true), `    ERASES ${about}`, `           ${made[0]}`],
      loses: true,
    });
    expect(shown(of(false, []))).toEqual({
      text: [empty(true), `    formats ${about}`, "           which is blank"],
      loses: true,
    });
    const plans = [of(false, made), of(true, made), of(false, []), of(true, [])];
    expect(new Set(plans.map((p) => p.hash)).size).toBe(4);
    expect(plans.map((p) => p.hosts[0]?.why.split(", ")[1])).toEqual([
      ...[`keeps ${device} CT500 S2`, `ERASES ${device} CT500 S2`],
      ...[`formats ${device} CT500 S2`, `ERASES ${device} CT500 S2`],
    ]);
    const refused = of(false, ["/dev/sdb1 499999 ext4"]);
    expect(refused.targets).toEqual({});
    expect(refused.refusals["node-01"]).toMatchObject([{ code: "data-disk-unknown" }]);
  });

  it("takes a disk for empty only when it is: a file system may need no partition", () => {
    const whole = plan({ facts: facts({ os: INSTALLER, disks: [aDisk({ partitions: [], blank: false })] }) });
    const target = whole.targets["node-01"] ?? expect.fail();
    expect(target.disk?.contents).toEqual(["no partitions, but not blank either"]);
    expect(losesData(target)).toBe(true);
  });

  it("has a hash of what is decided, not of when", () => {
    const { hash } = plan();
    expect(plan({ id: "i-2", now: 2, facts: facts({ bootId: "boot-2" }) }).hash).toBe(hash);
    expect(plan({ facts: facts({ disks: [aDisk({ serial: "S2" })] }) }).hash).not.toBe(hash);
    expect(plan({ facts: facts({ disks: [aDisk({ partitions: [] })] }) }).hash).not.toBe(hash);
  });

  it("leaves a NixOS machine alone unless it is to be installed again", () => {
    const nixos = facts({
      os: { id: "nixos", version: "26.05", variant: "" },
      current: system("node-01", "r1"),
    });
    expect(plan({ facts: nixos })).toMatchObject({ hosts: [], excluded: [{ state: "skipped" }] });
    expect(plan({ facts: nixos, reinstall: true }).hosts).toHaveLength(1);
  });

  it("says what to write where the inventory names no disk; a lab may do without", () => {
    const hosts = [withDisk({ device: "auto" })];
    expect(plan({ hosts }).refusals["node-01"]).toMatchObject([
      { code: "disk-unnamed", fix: `write disk.device: ${BY_ID}` },
    ]);
    const lab = { ...anInventory(hosts), lab: { backend: "sim" as const, dir: "." } };
    expect(plan({ hosts, inventory: lab }).hosts).toHaveLength(1);
  });

  it("takes a container for a machine in a docker lab only", () => {
    const inside = facts({ container: "docker", bootMode: "bios", kexec: false, disks: [] });
    expect(plan({ facts: inside }).refusals["node-01"]?.map((r) => r.code)).toContain("container");
    const lab = { ...anInventory([host()]), lab: { backend: "docker" as const, dir: "." } };
    expect(plan({ facts: inside, inventory: lab }).targets["node-01"]).toMatchObject({ disk: null });
  });

  it("sends boards to images, k3OS to convert, and defers who does not answer", () => {
    const why = (h: Host, f = facts({})) => plan({ hosts: [h], facts: f }).excluded[0];
    expect(why(withDisk({ device: "image" }))?.reason).toContain("image build sdcard");
    expect(why(host({ os: "k3os" }))?.reason).toContain("convert node-01");
    expect(why(host(), new Map())?.state).toBe("deferred");
    expect(why(host({ state: "retired" }))?.reason).toBe("state is retired");
  });
});
