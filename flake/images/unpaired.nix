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
      # Without the wizard nobody could pair it, so a card without one is refused.
      firstboot.enable = lib.mkDefault true;
    };
    services.macula.enable = false;
  };
}
