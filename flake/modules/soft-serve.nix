# Soft Serve, the git server of k3OS nodes (`gitops:`), for repositories that a cluster follows.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.softServe;
  adopt = import ../lib/adopt.nix { inherit pkgs; };
  mounts = import ../lib/mounts.nix { inherit lib; } config.macula.disk.data;
  host = config.networking.hostName;
in
{
  options.macula.softServe = {
    enable = lib.mkEnableOption "the git server Soft Serve";
    port = lib.mkOption {
      type = lib.types.port;
      default = 23231;
      description = "Port for git over SSH. Pods of this machine reach it; others when `openFirewall` is set.";
    };
    publicUrl = lib.mkOption {
      type = lib.types.str;
      default = "ssh://${host}:${toString cfg.port}";
      defaultText = lib.literalExpression ''"ssh://''${hostName}:''${port}"'';
      description = "Address shown to people.";
    };
    adminKeys = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = lib.concatMap (u: u.keys) (lib.attrValues config.macula.users);
      defaultText = lib.literalExpression "keys of the machine's users";
      description = "SSH public keys of its administrators, read at its very first start only.";
    };
    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Let other machines in.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.soft-serve = {
      enable = true;
      settings = {
        name = lib.mkDefault host;
        ssh.listen_addr = lib.mkDefault ":${toString cfg.port}";
        ssh.public_url = lib.mkDefault cfg.publicUrl;
        # k3OS nodes serve git over SSH and nothing else.
        git.enabled = lib.mkDefault false;
        http.enabled = lib.mkDefault false;
        stats.enabled = lib.mkDefault false;
        initial_admin_keys = lib.mkDefault cfg.adminKeys;
      };
    };
    systemd.services.soft-serve = {
      unitConfig.RequiresMountsFor = mounts "/var/lib/private/soft-serve";
      serviceConfig = {
        ExecStartPre = [ (adopt "/var/lib/maculaos/git" "/var/lib/soft-serve") ];
        # As for NATS: the copy must not be cut off.
        TimeoutStartSec = "infinity";
      };
    };
    networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall cfg.port;
    macula.health.checks.soft-serve = {
      kind = "listen";
      arguments = [
        "tcp"
        (toString cfg.port)
      ];
    };
  };
}
