import { expect, it } from "vitest";
import { disks, machine } from "./machine.ts";
import { describeNix, evaluate, FLAKE, fixture, HERE, refusal, temporaryFile } from "./nix.ts";

/** `lib/layouts.nix` with these arguments, as disko gets it. */
const layout = (
  args: string,
): { disk: Record<string, { content: { partitions: Record<string, unknown> } }> } =>
  evaluate([
    "--expr",
    `(import ${FLAKE}/lib/layouts.nix { lib = import ${HERE}lib; }).make ${args}`,
  ]) as never;
const partitions = (args: string): Record<string, unknown> =>
  layout(args).disk.main?.content.partitions ?? {};
const common = 'device = "/dev/disk/by-id/x"; espSize = "1GiB";';

describeNix("disk layouts", () => {
  it("give UEFI machines a 1 GiB ESP and BIOS machines a place for GRUB", () => {
    expect(partitions(`{ ${common} layout = "single-ext4"; }`)).toMatchObject({
      esp: { type: "EF00", size: "1G", content: { format: "vfat", mountpoint: "/boot" } },
      root: { size: "100%", content: { format: "ext4", mountpoint: "/" } },
    });
    const bios = partitions(`{ ${common} layout = "single-ext4"; bios = true; }`);
    expect(Object.keys(bios)).toEqual(["bios", "root"]);
    expect(bios.bios).toMatchObject({ type: "EF02", size: "1M" });
  });

  it("encrypt the root, and keep a clear /boot where GRUB must read it", () => {
    const uefi = partitions(
      `{ ${common} layout = "btrfs"; encrypt = true; swap = "8GiB"; unlock = "tpm2"; }`,
    );
    expect(uefi.root).toMatchObject({
      content: {
        type: "luks",
        passwordFile: "/tmp/disk.key",
        settings: { crypttabExtraOpts: ["tpm2-device=auto"] },
        content: { type: "btrfs", subvolumes: { "@nix": { mountpoint: "/nix" } } },
      },
    });
    expect(uefi.swap).toMatchObject({ size: "8G", content: { randomEncryption: true } });
    const bios = partitions(`{ ${common} layout = "single-ext4"; encrypt = true; bios = true; }`);
    expect(bios.boot).toMatchObject({ size: "1G", content: { format: "ext4", mountpoint: "/boot" } });
  });

  it("mount data disks without erasing them", () => {
    const data = `data.pv = { device = "/dev/disk/by-id/y"; mountpoint = "/data"; fsType = "ext4"; erase = false; };`;
    expect(layout(`{ ${common} layout = "single-ext4"; ${data} }`).disk.pv).toMatchObject({
      device: "/dev/disk/by-id/y",
      destroy: false,
    });
  });

  it("are refused for a size or layout nobody knows", () => {
    expect(refusal(() => layout(`{ ${common} layout = "zfs"; }`))).toContain("btrfs single-ext4");
    expect(refusal(() => layout('{ device = "/d"; layout = "single-ext4"; espSize = "big"; }'))).toContain(
      '"big"',
    );
  });

  it("name no disk until the inventory does, and then only that one", () => {
    expect(disks(fixture("commons"))).toMatchObject({
      "ams-boot-01": { disk: { main: { device: "/dev/disk/by-id/nvme-WD_SN740_22AA" } } },
      "ams-gw-01": "refused",
      "gent-peer-01": null,
    });
  });

  it("are refused for a disk that must be kept, and for GRUB without a disk", () => {
    const keep = temporaryFile(
      "keep.nix",
      '{ macula.disk.keep = [ "/dev/disk/by-id/ata-CT240BX500SSD1_2048E4C1" ]; }',
    );
    expect(machine(fixture("homelab"), "node-02", { extra: keep }).failed).toEqual([
      expect.stringContaining("disk.keep"),
    ]);
    const facts = temporaryFile("facts.nix", '{ lib, ... }: { macula.disk.device = lib.mkForce "facts"; }');
    expect(machine(fixture("homelab"), "node-02", { extra: facts }).failed).toEqual([
      expect.stringContaining("GRUB needs to know its disk"),
    ]);
  });
});
