# Network: DHCP on any wired card, or one static address bound to a MAC; Wi-Fi with the key outside the store.
{ config, lib, ... }:
let
  cfg = config.macula.network;
  wifi = cfg.wifi != [ ];
  secret = config.macula.secrets.wifi;
in
{
  options.macula.network = {
    dhcp = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Ask for an address on every physical Ethernet card, whatever its name.";
    };
    static = lib.mkOption {
      default = null;
      description = "One address, on the card with this MAC. Other cards stay without one.";
      type = lib.types.nullOr (
        lib.types.submodule {
          options = {
            mac = lib.mkOption {
              type = lib.types.str;
              description = "The card's MAC address: names of cards change, this does not.";
            };
            address = lib.mkOption {
              type = lib.types.str;
              example = "192.168.1.11/24";
              description = "Address and prefix length.";
            };
            gateway = lib.mkOption {
              type = lib.types.str;
              description = "Default route.";
            };
            dns = lib.mkOption {
              type = lib.types.listOf lib.types.str;
              default = [ ];
              description = "Name servers reached through this card.";
            };
          };
        }
      );
    };
    dns = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Name servers, beside those DHCP brings.";
    };
    ntp = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Time servers. Empty: NixOS's.";
    };
    wifi = lib.mkOption {
      default = [ ];
      description = "Wireless networks, preferred first. Their addresses come by DHCP, whatever wired cards do.";
      type = lib.types.listOf (
        lib.types.submodule {
          options = {
            ssid = lib.mkOption {
              type = lib.types.str;
              description = "Name of the network.";
            };
            pskRef = lib.mkOption {
              type = lib.types.str;
              description = "Reference to the pre-shared key.";
            };
          };
        }
      );
    };
  };

  config = lib.mkMerge [
    {
      networking = {
        useNetworkd = lib.mkDefault true;
        usePredictableInterfaceNames = lib.mkDefault true;
        useDHCP = lib.mkDefault (cfg.dhcp && cfg.static == null);
        nameservers = cfg.dns;
        firewall.enable = lib.mkDefault true;
      };
      assertions = [
        {
          assertion = cfg.dhcp || cfg.static != null || wifi || config.networking.useDHCP;
          message = "${config.networking.hostName}: network has neither dhcp nor static nor wifi, so nobody could reach it.";
        }
      ];
      networking.timeServers = lib.mkIf (cfg.ntp != [ ]) cfg.ntp;

      # One card with an address is online; the others may never have a cable.
      systemd.network.wait-online.anyInterface = lib.mkDefault true;
      systemd.network.wait-online.timeout = lib.mkDefault 60;

      # avahi answers mDNS (mdns.nix): two responders on one port contradict each other. LLMNR invites spoofing.
      services.resolved = {
        enable = lib.mkDefault true;
        settings.Resolve = {
          LLMNR = lib.mkDefault "false";
          MulticastDNS = lib.mkDefault "no";
        };
      };
    }
    (lib.mkIf (cfg.static != null) {
      systemd.network.networks."10-macula-static" = {
        matchConfig.PermanentMACAddress = cfg.static.mac;
        address = [ cfg.static.address ];
        routes = [ { Gateway = cfg.static.gateway; } ];
        inherit (cfg.static) dns;
        networkConfig.IPv6AcceptRA = lib.mkDefault true;
        linkConfig.RequiredForOnline = "routable";
      };
    })
    (lib.mkIf wifi {
      macula.secrets.wifi = {
        entries = lib.listToAttrs (lib.imap0 (i: n: lib.nameValuePair "psk_${toString i}" n.pskRef) cfg.wifi);
        owner = "wpa_supplicant";
        units = [ "wpa_supplicant.service" ];
      };
      networking.wireless = {
        enable = true;
        secretsFile = secret.path;
        networks = lib.listToAttrs (
          lib.imap0 (
            i: n:
            lib.nameValuePair n.ssid {
              pskRaw = "ext:psk_${toString i}";
              priority = lib.length cfg.wifi - i;
            }
          ) cfg.wifi
        );
      };
      # Without DHCP on wired cards NixOS leaves wireless ones without an address too. As it has them otherwise: a cable is
      # preferred.
      systemd.network.networks."20-macula-wifi" = lib.mkIf (!config.networking.useDHCP) {
        matchConfig.WLANInterfaceType = "station";
        networkConfig.DHCP = "yes";
        dhcpV4Config.RouteMetric = 1025;
        ipv6AcceptRAConfig.RouteMetric = 1025;
      };
    })
  ];
}
