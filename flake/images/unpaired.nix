# A card for a machine nobody has named yet: names itself after its network card, announces itself, offers pairing.
{
  config,
  lib,
  ...
}:
{
  imports = [ ./keys.nix ];

  config = {
    networking.hostName = "";
    macula = {
      boot.loader = "rpi";
      disk.device = "image";
      firmware.kind = lib.mkDefault "rpi";
      mdns.role = "unpaired";
      users.macula.keys = config.macula.installer.keys;
      firstboot.enable = lib.mkDefault (config.macula.firstboot.package != null);
    };
    services.macula.enable = false;
  };
}
