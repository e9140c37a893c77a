# Which ports are open, by role; the cluster's ports only to the cluster.
{ config, lib, ... }:
let
  cfg = config.macula.firewall;
  inherit (config.services.macula) roles;
  nftables = config.networking.nftables.enable;

  isV6 = lib.hasInfix ":";
  port =
    rule: separator:
    if rule.to == rule.from then
      toString rule.from
    else
      "${toString rule.from}${separator}${toString rule.to}";

  asIptables =
    rule:
    lib.concatMapStrings (source: ''
      ${if isV6 source then "ip6tables" else "iptables"} -A nixos-fw -p ${rule.protocol} -s ${source} --dport ${port rule ":"} -j nixos-fw-accept
    '') rule.sources;
  asNftables =
    rule:
    lib.concatMapStrings (source: ''
      ${if isV6 source then "ip6" else "ip"} saddr ${source} ${rule.protocol} dport ${port rule "-"} accept comment "${rule.name}"
    '') rule.sources;
in
{
  options.macula.firewall.rules = lib.mkOption {
    default = [ ];
    description = "Ports open to certain sources only.";
    type = lib.types.listOf (
      lib.types.submodule {
        options = {
          name = lib.mkOption {
            type = lib.types.str;
            description = "What it is for.";
          };
          protocol = lib.mkOption {
            type = lib.types.enum [
              "tcp"
              "udp"
            ];
            description = "tcp or udp.";
          };
          from = lib.mkOption {
            type = lib.types.port;
            description = "First port.";
          };
          to = lib.mkOption {
            type = lib.types.port;
            description = "Last port.";
          };
          sources = lib.mkOption {
            type = lib.types.listOf lib.types.str;
            description = "Addresses or networks that may connect.";
          };
        };
      }
    );
  };

  config = {
    # A peer serves nobody: no 80, no 443. QUIC is the UDP one.
    networking.firewall.allowedTCPPorts =
      lib.optionals roles.gateway [
        80
        443
      ]
      ++ lib.optional roles.bootstrap 443;
    networking.firewall.allowedUDPPorts = lib.optional (roles.gateway || roles.bootstrap) 443;

    networking.firewall.extraCommands = lib.mkIf (!nftables && cfg.rules != [ ]) (
      lib.concatMapStrings asIptables cfg.rules
    );
    networking.firewall.extraInputRules = lib.mkIf (nftables && cfg.rules != [ ]) (
      lib.concatMapStrings asNftables cfg.rules
    );
  };
}
