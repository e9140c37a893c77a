# SSH: keys only.
{ config, lib, ... }:
{
  config.services.openssh = {
    enable = true;
    settings = {
      PermitRootLogin = lib.mkDefault (if config.macula.users ? root then "prohibit-password" else "no");
      PasswordAuthentication = lib.mkDefault false;
      KbdInteractiveAuthentication = lib.mkDefault false;
      X11Forwarding = lib.mkDefault false;
      # Operators with many keys in their agent are not locked out; gateways serve as jump hosts.
      MaxAuthTries = lib.mkDefault 20;
      ClientAliveInterval = lib.mkDefault 30;
      ClientAliveCountMax = lib.mkDefault 4;
    };
  };
}
