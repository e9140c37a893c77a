# A machine nobody can walk to must reset itself: hardware watchdog, panic means reboot, no emergency shell that waits
# for a keyboard.
{
  config,
  lib,
  options,
  ...
}:
let
  cfg = config.macula.watchdog;
  canCount = (options.boot.loader.systemd-boot or { }) ? bootCounting;
in
{
  options.macula.watchdog = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Use the hardware watchdog, if there is one.";
    };
    runtimeSec = lib.mkOption {
      type = lib.types.str;
      default = "30s";
      description = "Reset when systemd stops answering for this long.";
    };
    bootCounting = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "systemd-boot only: an entry that fails to become healthy three times gives way to the one before. Off by default, because `systemd-bless-boot` makes every switch until the next reboot report a failure; rollouts guard the boot default without it.";
    };
  };

  config = lib.mkMerge [
    (lib.mkIf cfg.enable {
      systemd.settings.Manager = {
        RuntimeWatchdogSec = lib.mkDefault cfg.runtimeSec;
        RebootWatchdogSec = lib.mkDefault "10min";
      };
      boot.kernel.sysctl = lib.mapAttrs (_: lib.mkOverride 990) {
        "kernel.panic" = 10;
        "kernel.panic_on_oops" = 1;
      };
      boot.kernelParams = [
        "panic=30"
        "boot.panic_on_fail"
      ];
      systemd.enableEmergencyMode = lib.mkDefault false;
    })
    (lib.mkIf cfg.bootCounting {
      assertions = [
        {
          assertion = canCount;
          message = "macula.watchdog.bootCounting needs a nixpkgs with boot.loader.systemd-boot.bootCounting.";
        }
      ];
      # As systemd's own boot check: once what the boot wants has started or failed.
      systemd.services.macula-health-boot = {
        description = "Is this boot a good one?";
        requiredBy = [ "boot-complete.target" ];
        before = [ "boot-complete.target" ];
        after = [
          "default.target"
          "multi-user.target"
        ];
        serviceConfig = {
          Type = "oneshot";
          # One verdict a boot; a switch must not ask again.
          RemainAfterExit = true;
          # "Not yet" after all that time is no: another boot gets its chance.
          ExecStart = "${config.macula.health.program} --boot --wait 240";
          TimeoutStartSec = "6min";
        };
        restartIfChanged = false;
      };
    })
    (lib.optionalAttrs canCount {
      boot.loader.systemd-boot.bootCounting.enable = lib.mkIf cfg.bootCounting (lib.mkDefault true);
    })
  ];
}
