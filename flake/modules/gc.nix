# Garbage collection by count, never by age: a node that was off for two weeks must still have what to go back to.
{
  config,
  lib,
  ...
}:
let
  cfg = config.macula.gc;
in
{
  options.macula.gc = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Collect garbage on a timer.";
    };
    keep = lib.mkOption {
      type = lib.types.ints.positive;
      default = 5;
      description = "System generations to keep, counted back from the current one; also the entries of the boot menu.";
    };
    schedule = lib.mkOption {
      type = lib.types.str;
      default = "weekly";
      description = "systemd calendar expression.";
    };
  };

  config = {
    # `--delete-older-than` would remove every rollback target of a machine that has not changed for a while.
    nix.gc.automatic = lib.mkDefault false;

    systemd.services.macula-gc = lib.mkIf cfg.enable {
      description = "Delete old system generations and unreferenced store paths";
      serviceConfig = {
        Type = "oneshot";
        Nice = 15;
        IOSchedulingClass = "idle";
      };
      path = [ config.nix.package ];
      # The last healthy system and the two ends of a running rollout are gcroots of their own
      # (/nix/var/nix/gcroots/macula-fleet) and survive whatever the count says.
      script = ''
        nix-env -p /nix/var/nix/profiles/system --delete-generations +${toString cfg.keep}
        nix-collect-garbage
      '';
    };
    systemd.timers.macula-gc = lib.mkIf cfg.enable {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = cfg.schedule;
        RandomizedDelaySec = "6h";
        Persistent = true;
      };
    };
  };
}
