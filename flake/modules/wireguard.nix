# A WireGuard interface beside the k3s one: a way in for operators, or between sites. Off unless configured.
{ config, lib, ... }:
let
  cfg = config.macula.wireguard;
in
{
  options.macula.wireguard = {
    enable = lib.mkEnableOption "a WireGuard interface";
    interface = lib.mkOption {
      type = lib.types.str;
      default = "wg-mesh";
      description = "Name of the interface.";
    };
    addresses = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "10.100.0.7/24" ];
      description = "This machine's addresses inside.";
    };
    port = lib.mkOption {
      type = lib.types.port;
      # 51820 and 51821 belong to flannel's wireguard-native.
      default = 51830;
      description = "UDP port listened on.";
    };
    privateKeyRef = lib.mkOption {
      type = lib.types.str;
      example = "sops:secrets/wireguard.yaml#node-01";
      description = "Reference to the private key.";
    };
    peers = lib.mkOption {
      type = lib.types.listOf (lib.types.attrsOf lib.types.raw);
      default = [ ];
      description = "As in `networking.wireguard.interfaces.<name>.peers`; preshared keys by file only.";
    };
  };

  config = lib.mkIf cfg.enable {
    macula.secrets.wireguard = {
      ref = cfg.privateKeyRef;
      units = [ "wireguard-${cfg.interface}.service" ];
    };
    networking.wireguard.useNetworkd = lib.mkDefault false;
    networking.wireguard.interfaces.${cfg.interface} = {
      ips = cfg.addresses;
      listenPort = cfg.port;
      privateKeyFile = config.macula.secrets.wireguard.path;
      inherit (cfg) peers;
    };
    networking.firewall.allowedUDPPorts = [ cfg.port ];
    assertions = [
      {
        assertion = lib.all (p: !(p ? presharedKey)) cfg.peers;
        message = "macula.wireguard.peers: presharedKey would end in the store; use presharedKeyFile.";
      }
    ];
  };
}
