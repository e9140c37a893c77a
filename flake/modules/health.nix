# `macula-health`: the machine's own verdict on itself, for the rollout's health gate, the boot counter and people.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.health;
  k3s = config.macula.k3s;

  program = pkgs.writeShellApplication {
    name = "macula-health";
    runtimeInputs = [
      config.systemd.package
      pkgs.coreutils
      pkgs.curl
      pkgs.gawk
      pkgs.getent
      pkgs.gnused
      pkgs.iproute2
    ]
    ++ lib.optional (k3s.role != "none") config.services.k3s.package;
    # The script judges exit statuses itself.
    bashOptions = [ ];
    text = builtins.readFile ./health/macula-health.sh;
  };

  line = name: check: lib.concatStringsSep "\t" ([ check.kind name ] ++ check.arguments);
  enabled = lib.filterAttrs (_: check: check.enable) cfg.checks;
in
{
  options.macula.health = {
    checks = lib.mkOption {
      default = { };
      description = "What must hold for this machine to be healthy. The fleet's own checks (`checks:` in the inventory) run beside these.";
      type = lib.types.attrsOf (
        lib.types.submodule {
          options = {
            enable = lib.mkOption {
              type = lib.types.bool;
              default = true;
              description = "Whether it counts.";
            };
            kind = lib.mkOption {
              type = lib.types.enum [
                "system"
                "units"
                "route"
                "dns"
                "time"
                "disk"
                "listen"
                "http"
                "k3s"
                "command"
              ];
              description = "What is checked.";
            };
            arguments = lib.mkOption {
              type = lib.types.listOf (lib.types.strMatching "[^\t\n]*");
              default = [ ];
              description = "units: names to ignore. dns: a name. disk: path, KiB. listen: tcp or udp, port. http: URL. k3s: node, version. command: one command for sh.";
            };
          };
        }
      );
    };
    program = lib.mkOption {
      type = lib.types.str;
      default = "${program}/bin/macula-health";
      defaultText = lib.literalExpression "the program of this module";
      readOnly = true;
      description = "`macula-health`, for other units.";
    };
    interval = lib.mkOption {
      type = lib.types.str;
      default = "5min";
      description = "How often the machine looks at itself.";
    };
  };

  config = {
    macula.health.checks = {
      system.kind = "system";
      units.kind = "units";
      route.kind = "route";
      time.kind = "time";
      ssh = {
        kind = "listen";
        arguments = [
          "tcp"
          "22"
        ];
      };
      store = {
        kind = "disk";
        # Room for one more system.
        arguments = [
          "/nix"
          (toString (1024 * 1024))
        ];
      };
    }
    // lib.optionalAttrs (k3s.role != "none") {
      k3s = {
        kind = "k3s";
        arguments = [
          k3s.nodeName
          "v${config.services.k3s.package.version}"
        ];
      };
    };

    environment.etc."macula/health.conf".text = lib.concatStrings (
      lib.mapAttrsToList (name: check: line name check + "\n") enabled
    );
    environment.systemPackages = [ program ];

    systemd.services.macula-health = {
      description = "Is this machine healthy?";
      serviceConfig = {
        # Not oneshot: the boot is not finished before every start job is, and this one waits for it to be.
        Type = "exec";
        ExecStart = "${cfg.program} --wait 240";
        RuntimeMaxSec = "6min";
        RuntimeDirectory = "macula-health";
        RuntimeDirectoryPreserve = true;
        # 21: still starting. The next look will tell.
        SuccessExitStatus = 21;
      };
      # A new version of the check must not make an activation wait for its verdict.
      restartIfChanged = false;
    };
    systemd.timers.macula-health = {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnBootSec = "30s";
        OnUnitInactiveSec = cfg.interval;
      };
    };
  };
}
