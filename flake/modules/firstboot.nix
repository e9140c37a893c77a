# Slot for the first-boot wizard. Runs on machines that are nobody's yet; on a machine of the inventory it does not
# exist, so it can hold nothing up there.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.firstboot;
  inherit (config.services.macula) roles;
  user = "macula-firstboot";
in
{
  options.macula.firstboot = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Run the pairing wizard until the machine is paired. On in images, off for hosts of the inventory.";
    };
    package = lib.mkOption {
      type = lib.types.nullOr lib.types.package;
      default = pkgs.macula-firstboot or null;
      defaultText = lib.literalExpression "pkgs.macula-firstboot or null";
      description = "The wizard; must have bin/macula-firstboot.";
    };
    port = lib.mkOption {
      type = lib.types.port;
      default = if roles.gateway then 8080 else 80;
      defaultText = lib.literalExpression "if gateway then 8080 else 80";
      description = "Port of the pairing page. A gateway needs 80 itself.";
    };
    portal = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "https://portal.macula.example";
      description = "Portal to pair with.";
    };
    marker = lib.mkOption {
      type = lib.types.str;
      default = "/var/lib/maculaos/.configured";
      description = "The wizard writes it when done and never runs where it is. Installs by macula-fleet bring it along.";
    };
    timeout = lib.mkOption {
      type = lib.types.str;
      default = "30min";
      description = "Offer pairing this long after a boot, then stop listening.";
    };
    arguments = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [
        "--port"
        (toString cfg.port)
        "--state-dir"
        "/var/lib/maculaos"
        "--timeout"
        cfg.timeout
      ]
      ++ lib.optionals (cfg.portal != null) [
        "--portal"
        cfg.portal
      ];
      defaultText = lib.literalExpression "port, state directory, timeout and portal";
      description = "Command line of the wizard.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.package != null;
        message = "macula.firstboot.enable needs the wizard, which is made from macula-fleet's repository: take the flake from there (macula.url = \"git+https://…?dir=flake\"), not its folder `flake` alone, or set macula.firstboot.package.";
      }
    ];

    users.users.${user} = {
      isSystemUser = true;
      group = user;
    };
    users.groups.${user} = { };

    systemd.services.macula-firstboot = {
      description = "MaculaOS first-boot wizard";
      wantedBy = [ "multi-user.target" ];
      # Ordered, not required: without a network it shows how to get one.
      after = [
        "network-online.target"
        "macula-hostname.service"
        # Its proposal names the SSH host key; the first boot makes it, and a slow board takes its time.
        "sshd-keygen.service"
      ];
      wants = [ "network-online.target" ];
      unitConfig.ConditionPathExists = "!${cfg.marker}";
      path = [ config.systemd.package ];
      serviceConfig = {
        Type = "simple";
        ExecStart = "${
          if cfg.package == null then "/run/current-system/sw" else cfg.package
        }/bin/macula-firstboot ${lib.escapeShellArgs cfg.arguments}";
        Restart = "on-failure";
        RestartSec = 5;
        User = user;
        Group = user;
        StateDirectory = "maculaos";
        StateDirectoryMode = "0755";
        AmbientCapabilities = [ "CAP_NET_BIND_SERVICE" ];
        CapabilityBoundingSet = [ "CAP_NET_BIND_SERVICE" ];
        # Its output is the machine's screen and shows the pairing code; the journal, which others may read, does not.
        StandardOutput = "tty";
        TTYPath = "/dev/console";
        StandardError = "journal";
        # A copy of the screen for machines without one, to be read as root over SSH.
        RuntimeDirectory = "macula-firstboot";
        RuntimeDirectoryMode = "0700";
        NoNewPrivileges = true;
        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateTmp = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
          "AF_NETLINK"
        ];
      };
    };

    # The only thing it may ask of the system.
    security.polkit.enable = lib.mkDefault true;
    security.polkit.extraConfig = ''
      polkit.addRule(function (action, subject) {
        if (subject.user === "${user}" && action.id.indexOf("org.freedesktop.login1.reboot") === 0) {
          return polkit.Result.YES;
        }
      });
    '';

    networking.firewall.allowedTCPPorts = [ cfg.port ];
  };
}
