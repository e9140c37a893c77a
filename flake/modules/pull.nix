# Pull mode, for machines nobody can reach: every so often ask the cache for this machine's target and move to it
# through the same gate: revert timer first, activate for trial, judge, then commit or go back.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.pull;
  name = config.networking.hostName;
  program = pkgs.writeShellApplication {
    name = "macula-pull";
    runtimeInputs = [
      config.nix.package
      config.systemd.package
      pkgs.coreutils
      pkgs.curl
      pkgs.gnused
      pkgs.util-linux
    ];
    bashOptions = [ ];
    # protocol: the host protocol's own scripts, written by scripts/generate-pull-protocol.ts.
    text = "export MACULA_PROTOCOL=${./pull/protocol}\n" + builtins.readFile ./pull/macula-pull.sh;
  };
in
{
  options.macula.pull = {
    enable = lib.mkEnableOption "fetching this machine's own system (for `connect: pull`)";
    url = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default =
        if config.macula.cache.url == null then null else "${config.macula.cache.url}/macula-fleet/${name}";
      defaultText = lib.literalExpression ''"''${cache.url}/macula-fleet/''${hostName}"'';
      description = "Where the store path of this machine's target is published, one line. The closure itself must be signed by the cache's key.";
    };
    interval = lib.mkOption {
      type = lib.types.str;
      default = "15min";
      description = "How often to ask.";
    };
    confirmSec = lib.mkOption {
      type = lib.types.ints.between 120 86400;
      default = 600;
      description = "Seconds a new system has, from before its activation begins, to be active and healthy; then the machine goes back by itself.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.url != null && lib.hasPrefix "https://" cfg.url;
        message = "macula.pull: needs an https:// url (or macula.cache.url).";
      }
      {
        assertion = config.macula.cache.publicKey != null;
        message = "macula.pull: needs macula.cache.publicKey; unsigned systems are not accepted.";
      }
    ];
    environment.systemPackages = [ program ];
    systemd.services.macula-pull = {
      description = "Fetch and try this machine's target system";
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      # It judges the system that replaces it, or that has no pull mode any more: neither may end it half-way. (The
      # timer may go: it is this unit that has work to finish.)
      restartIfChanged = false;
      stopIfChanged = false;
      unitConfig.X-StopOnRemoval = false;
      serviceConfig = {
        # Not oneshot: with a job of its own under way the machine would count as still starting, and never as healthy.
        Type = "exec";
        ExecStart = "${program}/bin/macula-pull ${
          lib.escapeShellArgs [
            (toString cfg.url)
            (toString cfg.confirmSec)
          ]
        }";
      };
    };
    systemd.timers.macula-pull = {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnBootSec = "3min";
        OnUnitInactiveSec = cfg.interval;
        RandomizedDelaySec = "2min";
      };
    };
  };
}
