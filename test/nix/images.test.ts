import { join } from "node:path";
import { expect, it } from "vitest";
import { images } from "./machine.ts";
import { describeNix, evaluate, FLAKE, fixture, HERE } from "./nix.ts";

describeNix("images", () => {
  const { iso, sdcard, withoutWizard } = images(fixture("homelab"));

  it("call themselves what people look for", () => {
    expect(iso.values["image.baseName"]).toBe("maculaos-installer-26.05-x86_64-linux");
    expect(sdcard.values["image.baseName"]).toBe("maculaos-unpaired-26.05-aarch64-linux");
  });

  it("tell nixos-anywhere that the installer is one", () => {
    expect(iso.values["system.nixos.variant_id"]).toBe("installer");
    expect(iso.values["environment.systemPackages"]).toContain("<nixos-install-tools>");
  });

  it("let in the fleet's keys and nobody else", () => {
    expect(iso.values["users.users.root.openssh.authorizedKeys.keys"]).toEqual(["ssh-ed25519 AAAAtest"]);
    expect(iso.values["services.openssh.settings"]).toMatchObject({
      PermitRootLogin: "prohibit-password",
      PasswordAuthentication: false,
    });
    for (const image of [iso, sdcard]) {
      expect(image.failed).toEqual([]);
      expect(Object.keys(image.values).filter((path) => /users\..*password/i.test(path))).toEqual([]);
    }
  });

  it("leave the loader and the firmware's boot entries alone", () => {
    expect(iso.values["boot.loader.systemd-boot.enable"]).toBeUndefined();
    expect(iso.values["boot.loader.efi.canTouchEfiVariables"]).toBe(false);
    expect(sdcard.values["boot.loader.generic-extlinux-compatible.enable"]).toBe(true);
    expect(sdcard.values["sdImage.expandOnBoot"]).toBe(true);
  });

  it("name machines after their network card and announce what they are", () => {
    for (const [image, role] of [
      [iso, "installer"],
      [sdcard, "unpaired"],
    ] as const) {
      expect(image.values["networking.hostName"]).toBe("");
      expect(image.values["systemd.services.macula-hostname.wantedBy"]).toEqual(["multi-user.target"]);
      expect(JSON.stringify(image.values["services.avahi.extraServiceFiles"])).toContain(`role=${role}`);
      expect(image.values["services.k3s.enable"]).toBeUndefined();
    }
  });

  it("let people pair an unnamed machine, and are refused where nobody could", () => {
    expect(sdcard.values["systemd.services.macula-firstboot.wantedBy"]).toEqual(["multi-user.target"]);
    expect(sdcard.values["networking.firewall.allowedTCPPorts"]).toContain(80);
    expect(iso.values["systemd.services.macula-firstboot.wantedBy"]).toBeUndefined();
    expect(withoutWizard.failed).toEqual([expect.stringContaining("take the flake from there")]);
  });

  it("have the wizard wherever the flake comes from the repository", () => {
    const overlay = (source: string) =>
      evaluate([
        "--expr",
        `builtins.attrNames (((import ${FLAKE}/flake.nix).outputs {
          self = ${source}; nixpkgs.lib = import ${HERE}lib; disko = { }; nixos-images = { }; inventory = { };
        }).overlays.default { } { })`,
      ]);
    const repository = join(FLAKE, "..");
    expect(overlay(`{ outPath = ${FLAKE}; sourceInfo.outPath = ${repository}; }`)).toEqual(
      // `?dir=flake`
      expect.arrayContaining(["macula-firstboot", "macula-fleet"]),
    );
    expect(overlay(`{ outPath = ${FLAKE}; sourceInfo.outPath = ${FLAKE}; }`)).toEqual([]);
  });

  it("carry neither documentation nor a copy of nixpkgs nor all firmware", () => {
    for (const image of [iso, sdcard]) {
      expect(image.values).toMatchObject({
        "documentation.enable": false,
        "nix.channel.enable": false,
        "nixpkgs.flake.setNixPath": false,
        "hardware.enableRedistributableFirmware": false,
      });
    }
    expect(sdcard.values["hardware.firmware"]).toContain("<raspberrypiWirelessFirmware>");
  });
});
