# Which ports are open, by role; the cluster's ports only to the cluster.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.firewall;
  inherit (config.services.macula) roles;
  nftables = config.networking.nftables.enable;

  isV6 = lib.hasInfix ":";
  # `iptables -s NAME` would resolve once, before there is a network, and fail: names are a unit's business.
  isAddress = source: builtins.match "[0-9./]+" source != null || isV6 source;
  addresses = rule: lib.filter isAddress rule.sources;
  named = lib.concatMap (
    rule:
    map (name: "${rule.protocol} ${toString rule.from} ${toString rule.to} ${name}\n") (
      lib.filter (s: !(isAddress s)) rule.sources
    )
  ) cfg.rules;
  program = pkgs.writeShellApplication {
    name = "macula-firewall-names";
    runtimeInputs = [
      pkgs.coreutils
      pkgs.getent
      pkgs.iptables
    ];
    bashOptions = [ ];
    text = builtins.readFile ./firewall/macula-firewall-names.sh;
  };
  port =
    rule: separator:
    if rule.to == rule.from then
      toString rule.from
    else
      "${toString rule.from}${separator}${toString rule.to}";

  asIptables =
    rule:
    lib.concatMapStrings (source: ''
      ${if isV6 source then "ip6tables" else "iptables"} -w -A nixos-fw -p ${rule.protocol} -s ${source} --dport ${port rule ":"} -j nixos-fw-accept
    '') (addresses rule);
  asNftables =
    rule:
    lib.concatMapStrings (source: ''
      ${if isV6 source then "ip6" else "ip"} saddr ${source} ${rule.protocol} dport ${port rule "-"} accept comment "${rule.name}"
    '') (addresses rule);
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
            description = "Addresses, networks or names that may connect. Names are looked up every five minutes.";
          };
        };
      }
    );
  };

  config = {
    # A peer serves nobody: no 80, no 443. QUIC is the UDP one.
    networking.firewall.allowedTCPPorts =
      lib.optional roles.gateway 80 ++ lib.optional (roles.gateway || roles.bootstrap) 443;
    networking.firewall.allowedUDPPorts = lib.optional (roles.gateway || roles.bootstrap) 443;

    networking.firewall.extraCommands = lib.mkIf (!nftables && cfg.rules != [ ]) (
      lib.concatMapStrings asIptables cfg.rules
      + lib.optionalString (named != [ ]) ''
        ip46tables -N macula-names 2>/dev/null || true
        ip46tables -A nixos-fw -j macula-names
      ''
    );
    assertions = [
      {
        assertion = !(nftables && named != [ ]);
        message = "macula.firewall: with nftables, sources must be addresses (for a cluster: macula.k3s.allowedSources).";
      }
    ];
    systemd.services.macula-firewall-names = lib.mkIf (!nftables && named != [ ]) {
      description = "Let the named members of the cluster in";
      after = [
        "firewall.service"
        "nss-lookup.target"
        "network-online.target"
      ];
      wants = [ "network-online.target" ];
      wantedBy = [ "multi-user.target" ];
      environment = lib.mkIf (!config.networking.enableIPv6) { NO_IPV6 = "1"; };
      serviceConfig = {
        Type = "oneshot";
        CacheDirectory = "macula-firewall-names";
        ExecStart = "${program}/bin/macula-firewall-names ${pkgs.writeText "firewall-names" (lib.concatStrings named)}";
      };
    };
    systemd.timers.macula-firewall-names = lib.mkIf (!nftables && named != [ ]) {
      wantedBy = [ "timers.target" ];
      timerConfig.OnUnitInactiveSec = "5min";
    };
    networking.firewall.extraInputRules = lib.mkIf (nftables && cfg.rules != [ ]) (
      lib.concatMapStrings asNftables cfg.rules
    );
  };
}
