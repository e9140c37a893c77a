# The machine's place in the Macula mesh, written where MaculaOS's programs read it.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.macula;
  yaml = pkgs.formats.yaml { };
  bare = {
    roles = { inherit (cfg.roles) bootstrap gateway; };
    inherit (cfg) realm bootstrapPeers tlsMode;
  };
  meshFile = yaml.generate "mesh.yaml" bare;
in
{
  options.services.macula = {
    enable = lib.mkEnableOption "membership in a Macula mesh";

    role = lib.mkOption {
      type = lib.types.enum [
        "peer"
        "bootstrap"
        "gateway"
      ];
      default = "peer";
      description = "Short for one of `roles`. Every member is a peer.";
    };
    roles = {
      bootstrap = lib.mkOption {
        type = lib.types.bool;
        default = cfg.role == "bootstrap";
        defaultText = lib.literalExpression ''role == "bootstrap"'';
        description = "Others find the mesh through this machine.";
      };
      gateway = lib.mkOption {
        type = lib.types.bool;
        default = cfg.role == "gateway";
        defaultText = lib.literalExpression ''role == "gateway"'';
        description = "Lets the outside in.";
      };
    };
    realm = lib.mkOption {
      type = lib.types.strMatching "[a-z0-9-]+(\\.[a-z0-9-]+)+";
      default = "io.macula";
      description = "Realm, a reverse domain name.";
    };
    bootstrapPeers = lib.mkOption {
      type = lib.types.listOf (lib.types.strMatching "[a-z]+://.+");
      default = [ ];
      example = [ "https://boot.macula.io:443" ];
      description = "Whom to join through. From the inventory: its bootstrap hosts, without this one.";
    };
    tlsMode = lib.mkOption {
      type = lib.types.enum [
        "development"
        "production"
      ];
      default = "development";
      description = "`production` verifies certificates.";
    };
    nodeName = lib.mkOption {
      type = lib.types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "Name shown to others.";
    };
  };

  config = lib.mkIf cfg.enable {
    # `maculaos mesh` reads /var/lib/maculaos/mesh.yaml, flat and in camelCase; the nested form is the documented
    # /etc one.
    environment.etc."macula/mesh.yaml".source = meshFile;
    environment.etc."macula/config.yaml".source = yaml.generate "config.yaml" {
      hostname = cfg.nodeName;
      maculaos.mesh = bare;
    };
    systemd.tmpfiles.settings."10-macula" = {
      "/var/lib/maculaos".d = {
        mode = "0755";
        user = "root";
        group = "root";
      };
      "/var/lib/maculaos/mesh.yaml"."L+".argument = "/etc/macula/mesh.yaml";
    };
  };
}
