# Size profile. `minimal` (default) leaves out what a machine without a keyboard never reads.
{ config, lib, ... }:
{
  options.macula.profile = lib.mkOption {
    type = lib.types.enum [
      "minimal"
      "full"
    ];
    default = "minimal";
    description = "`minimal`: no documentation, no desktop libraries, no copy of nixpkgs. `full`: NixOS's own defaults.";
  };

  config = lib.mkIf (config.macula.profile == "minimal") {
    documentation = {
      enable = lib.mkDefault false;
      doc.enable = lib.mkDefault false;
      info.enable = lib.mkDefault false;
      man.enable = lib.mkDefault false;
      nixos.enable = lib.mkDefault false;
    };
    environment.defaultPackages = lib.mkDefault [ ];
    environment.stub-ld.enable = lib.mkDefault false;
    programs.command-not-found.enable = lib.mkDefault false;
    services.udisks2.enable = lib.mkDefault false;
    xdg = {
      autostart.enable = lib.mkDefault false;
      icons.enable = lib.mkDefault false;
      mime.enable = lib.mkDefault false;
      sounds.enable = lib.mkDefault false;
    };
    fonts.fontconfig.enable = lib.mkDefault false;
    # A flake-built system would otherwise carry the nixpkgs sources (some 200 MB).
    nix.channel.enable = lib.mkDefault false;
    nixpkgs.flake.setNixPath = lib.mkDefault false;
    nixpkgs.flake.setFlakeRegistry = lib.mkDefault false;
  };
}
