# A site's seed: closures reach it over the uplink, and its neighbours take them from it over the site's own network.
{ config, lib, ... }:
let
  cfg = config.macula.seed;
in
{
  options.macula.seed = {
    enable = lib.mkEnableOption "handing closures to neighbours during rollouts";
    port = lib.mkOption {
      type = lib.types.port;
      default = 7418;
      readOnly = true;
      description = "Port that macula-fleet has the machine listen on, while a rollout lasts. Nothing else listens there.";
    };
    interfaces = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "enp2s0" ];
      description = "Interfaces that neighbours come in by. Empty: all of them.";
    };
  };

  config = lib.mkIf cfg.enable {
    networking.firewall =
      if cfg.interfaces == [ ] then
        { allowedTCPPorts = [ cfg.port ]; }
      else
        { interfaces = lib.genAttrs cfg.interfaces (_: { allowedTCPPorts = [ cfg.port ]; }); };
  };
}
