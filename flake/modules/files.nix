# Plain files from the inventory. Files with a secret in them are secrets (secrets.nix), not these.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  files = lib.attrValues config.macula.files;
  inEtc = lib.filter (f: lib.hasPrefix "/etc/" f.path) files;
  elsewhere = lib.filter (f: !(lib.hasPrefix "/etc/" f.path)) files;
in
{
  options.macula.files = lib.mkOption {
    default = { };
    description = "Files, by path.";
    type = lib.types.attrsOf (
      lib.types.submodule (
        { name, ... }:
        {
          options = {
            path = lib.mkOption {
              type = lib.types.str;
              default = name;
              description = "Absolute path.";
            };
            content = lib.mkOption {
              type = lib.types.lines;
              description = "The text. It ends in the store: nothing secret.";
            };
            mode = lib.mkOption {
              type = lib.types.str;
              default = "0644";
              description = "Octal mode.";
            };
          };
        }
      )
    );
  };

  config = {
    environment.etc = lib.listToAttrs (
      map (
        f:
        lib.nameValuePair (lib.removePrefix "/etc/" f.path) {
          text = f.content;
          inherit (f) mode;
        }
      ) inEtc
    );

    # Outside /etc NixOS owns nothing: copy them before services start, again whenever one changes.
    systemd.services.macula-files = lib.mkIf (elsewhere != [ ]) {
      description = "Files of the inventory";
      wantedBy = [ "sysinit.target" ];
      before = [ "sysinit.target" ];
      after = [ "local-fs.target" ];
      unitConfig.DefaultDependencies = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
      script = lib.concatMapStrings (f: ''
        install -D -m ${lib.escapeShellArg f.mode} ${pkgs.writeText "macula-file" f.content} ${lib.escapeShellArg f.path}
      '') elsewhere;
    };
  };
}
