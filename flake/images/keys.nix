# Who may log in to an image.
{ lib, ... }:
{
  options.macula.installer.keys = lib.mkOption {
    type = lib.types.listOf lib.types.str;
    default = [ ];
    description = "SSH public keys baked into the image. There is no password.";
  };
}
