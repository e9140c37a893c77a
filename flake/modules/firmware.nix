# Firmware without the half gigabyte of linux-firmware, unless the machine needs it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.firmware;

  # Wired network cards in common servers and mini PCs that do nothing without a blob.
  nic =
    pkgs.runCommand "macula-nic-firmware" { }
      ''
        mkdir -p $out/lib/firmware
        cd ${pkgs.linux-firmware}/lib/firmware
        for family in rtl_nic bnx2 bnx2x tigon e100 intel/ice cxgb4 mellanox qed; do
          if [ -e "$family" ]; then cp -rL --parents "$family" $out/lib/firmware; fi
        done
      '';
in
{
  options.macula.firmware = {
    kind = lib.mkOption {
      type = lib.types.enum [
        "none"
        "nic"
        "rpi"
        "full"
      ];
      default = "nic";
      description = "`nic`: wired network cards only. `rpi`: those and the Raspberry Pi's radio. `full`: everything that may be redistributed (Wi-Fi, graphics).";
    };
  };

  config = {
    hardware.enableRedistributableFirmware = lib.mkDefault (cfg.kind == "full");
    hardware.firmware =
      lib.optional (cfg.kind == "nic" || cfg.kind == "rpi") nic
      ++ lib.optional (cfg.kind == "rpi") pkgs.raspberrypiWirelessFirmware;
  };
}
