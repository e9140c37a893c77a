# The boot loader, by how the machine starts. In a module of its own so that images, which bring their own, can
# leave it out (`macula.boot.loader = "none"`).
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.boot;
  isRpi = cfg.loader == "rpi";
  isX86 = pkgs.stdenv.hostPlatform.isx86_64;
  kernels = {
    latest = pkgs.linuxPackages_latest;
    lts = pkgs.linuxPackages;
  };
in
{
  options.macula.boot = {
    loader = lib.mkOption {
      type = lib.types.enum [
        "uefi"
        "bios"
        "rpi"
        "none"
      ];
      default = "uefi";
      description = "`uefi`: systemd-boot. `bios`: GRUB on the disk. `rpi`: extlinux, started by the board's U-Boot. `none`: the image decides.";
    };
    kernel = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "latest";
      description = "null or `lts`: NixOS's long-term kernel. `latest`, or a series such as `6.12`.";
    };
    consoles = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "ttyS0,115200n8" ];
      description = "Kernel consoles; the last one is where a login prompt and boot messages go.";
    };
    modules = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "kvm nested=1" ];
      description = "Kernel modules to load, each with its options after a space.";
    };
    sysctls = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      description = "Kernel settings; they win over this flake's defaults.";
    };
  };

  config = lib.mkMerge [
    {
      boot.kernelPackages = lib.mkDefault (
        if cfg.kernel == null then
          kernels.lts
        else
          kernels.${cfg.kernel} or pkgs."linuxPackages_${lib.replaceStrings [ "." ] [ "_" ] cfg.kernel}"
      );
      boot.kernelParams = map (console: "console=${console}") cfg.consoles;
      boot.kernelModules = map (m: lib.head (lib.splitString " " m)) cfg.modules;
      boot.extraModprobeConfig = lib.concatMapStrings (m: "options ${m}\n") (
        lib.filter (lib.hasInfix " ") cfg.modules
      );
      # 90: above this flake's defaults, below your own plain definitions.
      boot.kernel.sysctl = lib.mapAttrs (_: lib.mkOverride 90) cfg.sysctls;
      # No hardware-configuration.nix is generated per machine: this is what finds a root disk on the usual ones.
      boot.initrd.availableKernelModules = [
        "usb_storage"
        "uas"
        "sd_mod"
        "mmc_block"
        "nvme"
        "virtio_pci"
        "virtio_blk"
        "virtio_scsi"
        "virtio_net"
      ]
      ++ lib.optionals isX86 [
        "ahci"
        "ata_piix"
        "xhci_pci"
        "ehci_pci"
        "sr_mod"
        "sdhci_pci"
        "mptspi"
        "vmw_pvscsi"
        "hv_storvsc"
      ];
      hardware.cpu.intel.updateMicrocode = lib.mkIf isX86 (lib.mkDefault true);
      hardware.cpu.amd.updateMicrocode = lib.mkIf isX86 (lib.mkDefault true);
    }
    (lib.mkIf (cfg.loader == "uefi") {
      boot.loader.systemd-boot = {
        enable = lib.mkDefault true;
        # The default keeps every entry until the ESP is full.
        configurationLimit = lib.mkDefault config.macula.gc.keep;
        editor = lib.mkDefault false;
      };
      boot.loader.efi.canTouchEfiVariables = lib.mkDefault true;
      boot.loader.timeout = lib.mkDefault 3;
    })
    (lib.mkIf (cfg.loader == "bios") {
      # The disk to install on comes from the disk layout.
      boot.loader.grub = {
        enable = lib.mkDefault true;
        efiSupport = lib.mkDefault false;
        configurationLimit = lib.mkDefault config.macula.gc.keep;
      };
      boot.loader.timeout = lib.mkDefault 3;
    })
    (lib.mkIf isRpi {
      boot.loader.grub.enable = lib.mkDefault false;
      boot.loader.generic-extlinux-compatible = {
        enable = lib.mkDefault true;
        configurationLimit = lib.mkDefault config.macula.gc.keep;
      };
      # The board's PCIe and USB reset drivers are not among NixOS's usual initrd modules, and the card must boot on
      # every board of the family.
      hardware.enableAllHardware = lib.mkDefault true;
      # The firmware turns the memory controller off; the kubelet refuses to start without it.
      boot.kernelParams = [
        "cgroup_enable=memory"
        "cgroup_memory=1"
      ];
    })
  ];
}
