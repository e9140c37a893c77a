import { describe, expect, it } from "vitest";
import { judge } from "../../src/install/checks/index.ts";
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
