# Who may log in: with keys only, named by the inventory. No passwords ship, default or otherwise.
{
  config,
  lib,
  ...
}:
let
  cfg = config.macula.users;
  user = lib.types.submodule {
    options = {
      keys = lib.mkOption {
        type = lib.types.listOf lib.types.str;
        default = [ ];
        description = "SSH public keys.";
      };
      passwordHashFile = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        description = "File on the machine holding a password hash, for the console. null: no password login at all.";
      };
      admin = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "May become root without a password. Activation over SSH needs one such user.";
      };
    };
  };
  names = lib.filter (name: name != "root") (lib.attrNames cfg);
in
{
  options.macula.users = lib.mkOption {
    type = lib.types.attrsOf user;
    default = { };
    description = "Login users. `root` may be among them; then SSH lets root in with a key.";
  };

  config = {
    assertions = [
      {
        assertion = lib.any (u: u.keys != [ ]) (
          lib.attrValues (lib.filterAttrs (name: u: u.admin || name == "root") cfg)
        );
        message = "${config.networking.hostName}: nobody who may administrate it has an SSH key, so nobody could ever change it. Give users.NAME.keys in the inventory, or operatorKeys to mkFleet.";
      }
    ];

    users.mutableUsers = lib.mkDefault false;
    users.users = lib.mapAttrs (
      name: u:
      {
        openssh.authorizedKeys.keys = u.keys;
      }
      // lib.optionalAttrs (u.passwordHashFile != null) { hashedPasswordFile = u.passwordHashFile; }
      // lib.optionalAttrs (name != "root") {
        isNormalUser = true;
        extraGroups = [ "systemd-journal" ] ++ lib.optional u.admin "wheel";
      }
      # The id it has on k3OS nodes: files carried over keep their owner.
      // lib.optionalAttrs (name == "macula") {
        uid = lib.mkDefault 1000;
        group = "macula";
      }
    ) cfg;
    users.groups = lib.optionalAttrs (lib.elem "macula" names) { macula.gid = lib.mkDefault 1000; };

    # Keys only: a password prompt would stop every unattended activation.
    security.sudo.wheelNeedsPassword = lib.mkDefault false;
    security.sudo.execWheelOnly = lib.mkDefault true;
  };
}
