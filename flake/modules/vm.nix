# `nixos-rebuild build-vm` and `packages.<system>.vm`: try a host in QEMU. Touches nothing of the real machine.
{ lib, ... }:
{
  config.virtualisation.vmVariant = {
    virtualisation = {
      memorySize = lib.mkDefault 2048;
      cores = lib.mkDefault 2;
      diskSize = lib.mkDefault 8192;
      graphics = lib.mkDefault false;
      # ssh -p 2222 macula@127.0.0.1
      forwardPorts = [
        {
          from = "host";
          host.address = "127.0.0.1";
          host.port = 2222;
          guest.port = 22;
        }
      ];
    };
    # The real machine's static address means nothing here.
    macula.network.static = lib.mkForce null;
    macula.network.dhcp = lib.mkForce true;
    macula.network.wifi = lib.mkForce [ ];
  };
}
