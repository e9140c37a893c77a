# What must be on the machine and never in the store. Here are only references and paths; what the inventory states is
# delivered by the tool (at install with the extra files, later before each rollout's activation, or by `secrets push`).
{
  config,
  lib,
  ...
}:
let
  cfg = config.macula.secrets;
  refType = lib.types.strMatching "(sops|file|env|cmd):.+";
  inStore = path: lib.hasPrefix builtins.storeDir path;
  restarting = lib.filterAttrs (_: s: s.units != [ ] && !s.installOnly) cfg;
in
{
  options.macula.secretsDir = lib.mkOption {
    type = lib.types.str;
    default = "/var/lib/macula-fleet/secrets";
    description = "Directory for uploaded secrets; owned by root, searchable by the services that own one file in it.";
  };

  options.macula.secrets = lib.mkOption {
    default = { };
    description = "Secrets this machine needs. The tool delivers those that come from the inventory; a file of your own is put there by your own means.";
    type = lib.types.attrsOf (
      lib.types.submodule (
        { name, ... }:
        {
          options = {
            ref = lib.mkOption {
              type = lib.types.nullOr refType;
              default = null;
              example = "sops:secrets/home.yaml#k3s.token";
              description = "Where the value is, on the operator's side. null: made of `entries`, or put there by other means.";
            };
            entries = lib.mkOption {
              type = lib.types.attrsOf refType;
              default = { };
              description = "For files of `NAME=value` lines: each name's reference.";
            };
            path = lib.mkOption {
              type = lib.types.str;
              default = "${config.macula.secretsDir}/${name}";
              description = "Where it goes.";
            };
            mode = lib.mkOption {
              type = lib.types.str;
              default = "0400";
              description = "Its mode.";
            };
            owner = lib.mkOption {
              type = lib.types.str;
              default = "root";
              description = "Its owner.";
            };
            units = lib.mkOption {
              type = lib.types.listOf lib.types.str;
              default = [ ];
              description = "Units to restart when it changes.";
            };
            installOnly = lib.mkOption {
              type = lib.types.bool;
              default = false;
              description = "Needed only in the installer's memory (a disk passphrase).";
            };
          };
        }
      )
    );
  };

  config = {
    assertions = lib.mapAttrsToList (name: secret: {
      assertion = !(inStore secret.path);
      message = "macula.secrets.${name}.path is in the Nix store, which everybody can read.";
    }) cfg;
    environment.etc."macula/secret-units" = lib.mkIf (restarting != { }) {
      text = lib.concatStrings (
        lib.mapAttrsToList (_: s: lib.concatStringsSep " " ([ s.path ] ++ s.units) + "\n") restarting
      );
    };
    system.activationScripts.macula-secrets = lib.mkIf (restarting != { }) {
      deps = [ "etc" ];
      text = builtins.readFile ./secrets/restart-changed.sh;
    };
    # Delivered as root's before the owner exists on the machine; the owner is set at boot and at each activation.
    systemd.tmpfiles.settings."06-macula-secrets" = lib.listToAttrs (
      lib.mapAttrsToList (
        _: s:
        lib.nameValuePair s.path {
          z = {
            inherit (s) mode;
            user = s.owner;
          };
        }
      ) (lib.filterAttrs (_: s: s.owner != "root" && !s.installOnly) cfg)
    );
    # 0711: a service user opens its own file by name and can list nothing.
    systemd.tmpfiles.settings."05-macula-secrets" = lib.mkIf (cfg != { }) {
      "/var/lib/macula-fleet".d = {
        mode = "0755";
        user = "root";
        group = "root";
      };
      ${config.macula.secretsDir}.d = {
        mode = "0711";
        user = "root";
        group = "root";
      };
    };
  };
}
