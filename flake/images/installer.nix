# The installer ISO: boots anywhere, gets an address, lets the fleet's key in, says where it is. nixos-anywhere
# recognises it (VARIANT_ID=installer) and skips kexec. Not the stock installer: that one lets anybody in without a
# password and carries documentation, a channel and a compiler.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  imports = [ ./keys.nix ];

  config = {
    networking.hostName = "";
    system.nixos.variant_id = "installer";

    macula = {
      boot.loader = "none";
      disk.device = "image";
      gc.enable = false;
      mdns.role = "installer";
      # Somebody's only way into a machine with odd hardware: bigger, but it finds the card.
      firmware.kind = lib.mkDefault "nic";
      watchdog.enable = false;
      users.root.keys = config.macula.installer.keys;
    };
    hardware.enableAllHardware = lib.mkDefault true;
    services.macula.enable = false;

    assertions = [
      {
        assertion = config.macula.installer.keys != [ ];
        message = "The installer would let nobody in: give the inventory's users keys, or pass operatorKeys to mkFleet.";
      }
    ];

    # What nixos-anywhere and disko call on the machine.
    environment.systemPackages = [
      pkgs.nixos-install-tools
      pkgs.parted
      pkgs.gptfdisk
      pkgs.cryptsetup
      pkgs.dosfstools
      pkgs.e2fsprogs
      pkgs.btrfs-progs
      pkgs.rsync
      pkgs.pciutils
    ];
    boot.supportedFilesystems = {
      btrfs = true;
      ext4 = true;
      vfat = true;
      xfs = true;
      zfs = lib.mkForce false;
    };

    # \4 and \6 are this machine's addresses.
    environment.etc.issue.text = lib.mkForce ''

      MaculaOS installer \n (\m)   \4   \6

        from your machine:  macula-fleet discover
                            macula-fleet install inventory.yaml --limit HOST

    '';

    # Settings of the `iso` image variant (system.build.images.iso).
    image.modules.iso = {
      image.baseName = lib.mkForce "maculaos-installer-${config.system.nixos.release}-${pkgs.stdenv.hostPlatform.system}";
      isoImage.volumeID = lib.mkForce "MACULAOS";
      isoImage.edition = lib.mkForce "installer";
      isoImage.makeEfiBootable = true;
      isoImage.makeUsbBootable = true;
      # Default (xz) unpacks slowly on small machines; zstd 19 is a few percent bigger.
      isoImage.squashfsCompression = lib.mkDefault "zstd -Xcompression-level 19";
      # Never write a boot entry from a stick.
      boot.loader.efi.canTouchEfiVariables = lib.mkForce false;
    };
  };
}
