# The system disk: from the inventory to disko. Names a disk only by a stable path; without one the system still
# evaluates, but there is no script that could format anything.
{
  config,
  lib,
  ...
}:
let
  cfg = config.macula.disk;
  layouts = import ../lib/layouts.nix { inherit lib; };
  sizes = import ../lib/sizes.nix { inherit lib; };
  named = lib.hasPrefix "/" cfg.device;
  bios = config.macula.boot.loader == "bios";
  host = config.networking.hostName;
  unnamed = throw "host ${host}: disk.device is \"${cfg.device}\", not a disk. `macula-fleet preflight` records the machine's disks; then name one by /dev/disk/by-id/… in the inventory.";
  zram = cfg.swap == "zram";
in
{
  options.macula.disk = {
    device = lib.mkOption {
      type = lib.types.str;
      default = "facts";
      example = "/dev/disk/by-id/nvme-Samsung_SSD_980_S64DNX0R1";
      description = "The system disk, by id. `image`: the system came as an image with file systems NIXOS_SD and FIRMWARE. `facts`, `auto`: not chosen yet.";
    };
    layout = lib.mkOption {
      type = lib.types.enum layouts.names;
      default = "single-ext4";
      description = "How the disk is divided.";
    };
    espSize = lib.mkOption {
      type = lib.types.str;
      default = "1GiB";
      description = "EFI system partition (or the clear /boot of an encrypted BIOS machine). Holds ${toString config.macula.gc.keep} kernels and initrds; below 512 MiB it will not.";
    };
    swap = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "4GiB";
      description = "Size of a swap partition, or `zram` for compressed memory.";
    };
    encryption = lib.mkOption {
      type = lib.types.enum [
        "none"
        "luks"
      ];
      default = "none";
      description = "LUKS around the root file system.";
    };
    unlock = lib.mkOption {
      type = lib.types.enum [
        "passphrase"
        "tpm2"
      ];
      default = "passphrase";
      description = "How an encrypted root opens at boot. `tpm2` must be enrolled once (systemd-cryptenroll); the passphrase keeps working.";
    };
    keyFile = lib.mkOption {
      type = lib.types.str;
      default = "/tmp/disk.key";
      description = "Where the installer finds the LUKS passphrase. In its memory only: `nixos-anywhere --disk-encryption-keys`.";
    };
    keep = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Disks that must never be formatted; evaluation fails when a layout names one.";
    };
    data = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.submodule {
          options = {
            device = lib.mkOption {
              type = lib.types.str;
              description = "The disk, by id.";
            };
            mountpoint = lib.mkOption {
              type = lib.types.str;
              example = "/var/lib/rancher/k3s/storage";
              description = "Where it is mounted.";
            };
            fsType = lib.mkOption {
              type = lib.types.enum [
                "ext4"
                "xfs"
              ];
              default = "ext4";
              description = "File system.";
            };
            erase = lib.mkOption {
              type = lib.types.bool;
              default = false;
              description = "Lose what is on it at a reinstallation. Otherwise it is formatted only when blank.";
            };
          };
        }
      );
      default = { };
      description = "Further disks. The name of each becomes that of its partition, `disk-NAME-data`, by which a reinstallation knows it; `main` is the system's own.";
    };
  };

  config = lib.mkMerge [
    {
      zramSwap.enable = lib.mkIf zram (lib.mkDefault true);
      assertions = [
        {
          assertion = lib.all (disk: !(lib.elem disk cfg.keep)) (
            [ cfg.device ] ++ lib.mapAttrsToList (_: d: d.device) (lib.filterAttrs (_: d: d.erase) cfg.data)
          );
          message = "host ${host}: disk.keep forbids formatting ${toString cfg.keep}, but the layout names one of them.";
        }
        {
          assertion = !(bios && !named && cfg.device != "image");
          message = "host ${host}: boots by BIOS, so GRUB needs to know its disk, but disk.device is \"${cfg.device}\". Name it by /dev/disk/by-id/….";
        }
      ];
    }
    (lib.mkIf (cfg.device != "image") {
      disko.devices = layouts.make {
        device = if named then cfg.device else unnamed;
        inherit (cfg)
          layout
          keyFile
          unlock
          data
          ;
        espSize = cfg.espSize;
        swap = if zram then null else cfg.swap;
        encrypt = cfg.encryption == "luks";
        inherit bios;
      };
      boot.initrd.systemd.enable = lib.mkIf (cfg.encryption == "luks" && cfg.unlock == "tpm2") (lib.mkDefault true);
    })
    (lib.mkIf (cfg.device == "image") {
      fileSystems."/" = {
        device = lib.mkDefault "/dev/disk/by-label/NIXOS_SD";
        fsType = lib.mkDefault "ext4";
        options = [ "noatime" ];
      };
      swapDevices = lib.mkIf (cfg.swap != null && !zram) [
        {
          device = "/var/swapfile";
          size = lib.mkDefault (sizes.toMiB cfg.swap);
        }
      ];
    })
  ];
}
