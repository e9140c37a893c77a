# Disk layouts, as disko describes them. `single-ext4` and `btrfs`, each plain or inside LUKS, for UEFI and
# BIOS. Only the named disk and the named data disks are mentioned: disko touches nothing else.
{ lib }:
let
  inherit (import ./sizes.nix { inherit lib; }) toDisko;

  esp = size: {
    type = "EF00";
    size = toDisko size;
    priority = 1;
    content = {
      type = "filesystem";
      format = "vfat";
      mountpoint = "/boot";
      mountOptions = [ "umask=0077" ];
    };
  };

  # GRUB's core image lives here on a GPT disk booted by a BIOS.
  biosBoot = {
    type = "EF02";
    size = "1M";
    priority = 1;
  };

  # GRUB cannot be asked for a passphrase unattended, so an encrypted BIOS machine keeps /boot in the clear.
  clearBoot = size: {
    size = toDisko size;
    priority = 2;
    content = {
      type = "filesystem";
      format = "ext4";
      mountpoint = "/boot";
    };
  };

  roots = {
    single-ext4 = {
      type = "filesystem";
      format = "ext4";
      mountpoint = "/";
      mountOptions = [ "noatime" ];
    };
    # The store and the state apart, so that a snapshot of one is not a snapshot of both.
    btrfs = {
      type = "btrfs";
      extraArgs = [ "-f" ];
      subvolumes =
        lib.mapAttrs
          (_: mountpoint: {
            inherit mountpoint;
            mountOptions = [
              "compress=zstd"
              "noatime"
            ];
          })
          {
            "@root" = "/";
            "@nix" = "/nix";
            "@var" = "/var";
            "@home" = "/home";
          };
    };
  };

  # The key file exists only in the installer's memory (nixos-anywhere --disk-encryption-keys).
  luks =
    { keyFile, unlock }:
    content: {
      type = "luks";
      name = "root";
      passwordFile = keyFile;
      settings = {
        allowDiscards = true;
      }
      // lib.optionalAttrs (unlock == "tpm2") { crypttabExtraOpts = [ "tpm2-device=auto" ]; };
      inherit content;
    };

  dataDisk = disk: {
    type = "disk";
    inherit (disk) device;
    # A reinstall formats the system disk; data stays unless somebody says otherwise.
    destroy = disk.erase;
    content = {
      type = "gpt";
      partitions.data = {
        size = "100%";
        content = {
          type = "filesystem";
          format = disk.fsType;
          inherit (disk) mountpoint;
          mountOptions = [
            "noatime"
            "nofail"
          ];
        };
      };
    };
  };
in
{
  names = lib.attrNames roots;

  # -> the value of `disko.devices`
  make =
    {
      device,
      layout,
      espSize,
      swap ? null,
      encrypt ? false,
      keyFile ? "/tmp/disk.key",
      unlock ? "passphrase",
      bios ? false,
      data ? { },
    }:
    let
      root = roots.${layout} or (throw "macula: no disk layout \"${layout}\"; there are ${toString (lib.attrNames roots)}");
      boot =
        if bios then
          { bios = biosBoot; } // lib.optionalAttrs encrypt { boot = clearBoot espSize; }
        else
          { esp = esp espSize; };
    in
    {
      disk = {
        main = {
          type = "disk";
          inherit device;
          content = {
            type = "gpt";
            partitions =
              boot
              // lib.optionalAttrs (swap != null) {
                swap = {
                  size = toDisko swap;
                  priority = 3;
                  content = {
                    type = "swap";
                    randomEncryption = encrypt;
                  };
                };
              }
              // {
                root = {
                  size = "100%";
                  content = if encrypt then luks { inherit keyFile unlock; } root else root;
                };
              };
          };
        };
      }
      // lib.mapAttrs (_: dataDisk) data;
    };
}
