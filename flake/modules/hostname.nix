# Images for machines nobody has named yet: a name that no second machine has, from the first network card.
# (k3OS's macula-$RANDOM had 32768 names.)
{
  config,
  lib,
  pkgs,
  ...
}:
{
  config = lib.mkIf (config.networking.hostName == "") {
    systemd.services.macula-hostname = {
      description = "Name this machine after its network card";
      wantedBy = [ "multi-user.target" ];
      before = [
        "avahi-daemon.service"
        "macula-firstboot.service"
      ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        StateDirectory = "macula-hostname";
      };
      path = [
        pkgs.coreutils
        pkgs.gnugrep
        pkgs.hostname
      ];
      script = builtins.readFile ./hostname/macula-hostname.sh;
    };
  };
}
