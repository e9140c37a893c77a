# Settings of the `sd-card` image variant, for hosts that start from a card and for the unpaired image.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  name = if config.networking.hostName == "" then "unpaired" else config.networking.hostName;
in
{
  config.image.modules.sd-card = {
    # Pulls in ZFS, testing tools and more: none of it belongs on a small card.
    disabledModules = [ "profiles/base.nix" ];
    image.baseName = lib.mkForce "maculaos-${name}-${config.system.nixos.release}-${pkgs.stdenv.hostPlatform.system}";
    # On first boot the root file system grows to the card.
    sdImage.expandOnBoot = true;
    macula.boot.loader = lib.mkForce "rpi";
    macula.disk.device = lib.mkForce "image";
    boot.loader.efi.canTouchEfiVariables = lib.mkForce false;
  };
}
