# NATS, as on k3OS nodes: for programs of this machine, with JetStream. Others reach it when you open it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.nats;
  adopt = import ../lib/adopt.nix { inherit pkgs; };
  mounts = import ../lib/mounts.nix { inherit lib; } config.macula.disk.data;
in
{
  options.macula.nats = {
    enable = lib.mkEnableOption "a NATS server";
    port = lib.mkOption {
      type = lib.types.port;
      default = 4222;
      description = "Port for clients.";
    };
    listen = lib.mkOption {
      type = lib.types.str;
      default = "127.0.0.1";
      example = "0.0.0.0";
      description = "Address to listen on. Elsewhere than on this machine only with authentication (`services.nats.settings`): NATS asks nobody for a password by itself.";
    };
    jetstream = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Keep streams on disk, in /var/lib/nats. A converted node's streams are taken over at the first start.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.nats = {
      enable = true;
      inherit (cfg) jetstream port;
      serverName = lib.mkDefault config.services.macula.nodeName;
      settings.host = lib.mkDefault cfg.listen;
    };
    systemd.services.nats = {
      unitConfig.RequiresMountsFor = mounts "/var/lib/nats";
      serviceConfig = lib.mkIf cfg.jetstream {
        ExecStartPre = [ (adopt "/var/lib/maculaos/nats" "/var/lib/nats") ];
        # A predecessor's data takes as long as it takes: cut off, the copy would begin anew, again and again.
        TimeoutStartSec = "infinity";
      };
    };
    networking.firewall.allowedTCPPorts = lib.optional (cfg.listen != "127.0.0.1") cfg.port;
    macula.health.checks.nats = {
      kind = "listen";
      arguments = [
        "tcp"
        (toString cfg.port)
      ];
    };
  };
}
