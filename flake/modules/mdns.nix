# mDNS: `macula-fleet discover` finds the machine, with its true role, on the local link only.
{
  config,
  lib,
  ...
}:
let
  cfg = config.macula.mdns;
  mesh = config.services.macula;
  roles =
    lib.optional mesh.roles.bootstrap "bootstrap" ++ lib.optional mesh.roles.gateway "gateway";
  role = if cfg.role != null then cfg.role else if roles == [ ] then "peer" else lib.head roles;
  k3sServer = config.macula.k3s.role == "server";
  port =
    if k3sServer then
      6443
    else if roles != [ ] then
      443
    else
      22;
  txt = {
    v = "2";
    inherit role;
    realm = mesh.realm;
    os = "nixos";
    release = config.system.nixos.release;
  }
  // lib.optionalAttrs (lib.length roles > 1) { roles = lib.concatStringsSep "," roles; }
  // lib.optionalAttrs (cfg.id != null) { inherit (cfg) id; };
  record = name: value: "    <txt-record>${lib.escapeXML "${name}=${value}"}</txt-record>\n";
in
{
  options.macula.mdns = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Announce the machine and resolve `.local` names.";
    };
    role = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "Announced role; null: the mesh's. Images announce `installer` or `unpaired`.";
    };
    id = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "The node's DID, if known.";
    };
    interfaces = lib.mkOption {
      type = lib.types.nullOr (lib.types.listOf lib.types.str);
      default = null;
      description = "Interfaces to announce on; null: all but the cluster's. Full names: avahi knows no globs.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.avahi = {
      enable = true;
      nssmdns4 = lib.mkDefault true;
      # Opens UDP 5353; mDNS has no TCP.
      openFirewall = lib.mkDefault true;
      allowInterfaces = lib.mkIf (cfg.interfaces != null) cfg.interfaces;
      denyInterfaces = lib.mkIf (cfg.interfaces == null) [
        "cni0"
        "flannel.1"
        "flannel-wg"
        "flannel-wg-v6"
        "kube-ipvs0"
      ];
      publish = {
        enable = true;
        addresses = true;
        userServices = lib.mkDefault false;
        workstation = lib.mkDefault false;
        hinfo = lib.mkDefault false;
      };
      extraServiceFiles.macula = ''
        <?xml version="1.0" standalone='no'?>
        <!DOCTYPE service-group SYSTEM "avahi-service.dtd">
        <service-group>
          <name replace-wildcards="yes">MaculaOS on %h</name>
          <service>
            <type>_macula._tcp</type>
            <port>${toString port}</port>
        ${lib.concatStrings (lib.mapAttrsToList record txt)}  </service>
          <service>
            <type>_ssh._tcp</type>
            <port>22</port>
          </service>
        </service-group>
      '';
    };
  };
}
