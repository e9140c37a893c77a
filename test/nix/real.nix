# `mkFleet` with a nixpkgs and a disko given by path instead of as flake inputs.
{
  inventory,
  nixpkgs,
  disko,
  nixosImages ? null,
  flake,
  extra ? { },
  select ? f: f,
}:
let
  path = text: /. + text;
  plain = import (path nixpkgs + "/lib");
  # What nixpkgs' own flake.nix adds to its lib.
  lib = plain.extend (
    final: _: {
      nixosSystem =
        args:
        import (path nixpkgs + "/nixos/lib/eval-config.nix") (
          {
            lib = final;
            system = null;
          }
          // args
          // {
            modules = args.modules ++ [ { config.nixpkgs.flake.source = nixpkgs; } ];
          }
        );
    }
  );
  images = path nixosImages + "/nix";
  # As of a flake taken from the repository, so the card has its wizard.
  overlay = import (flake + "/pkgs/overlay.nix") { toolSource = toString (flake + "/.."); };
  macula = import (flake + "/lib") {
    nixpkgs = {
      inherit lib;
      outPath = path nixpkgs;
    };
    disko.nixosModules.disko = path disko + "/module.nix";
    nixos-images =
      if nixosImages == null then
        null
      else
        {
          nixosModules.kexec-installer = images + "/kexec-installer/module.nix";
          nixosModules.noninteractive = images + "/noninteractive.nix";
        };
    inherit overlay;
  };
  fleet = macula.mkFleet {
    inventory = path inventory;
    operatorKeys = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleOperator ops" ];
    modules = [ extra ];
  };
  drv = value: builtins.unsafeDiscardStringContext value.drvPath;
  toplevel = c: drv c.config.system.build.toplevel;
  x86 = fleet.packages.x86_64-linux;
  arm = fleet.packages.aarch64-linux;
in
select (
  fleet
  // {
    toplevels = lib.mapAttrs (_: toplevel) fleet.nixosConfigurations;
    only = names: lib.genAttrs names (name: toplevel fleet.nixosConfigurations.${name});
    artifacts = {
      iso-x86_64 = drv x86.iso;
      iso-aarch64 = drv arm.iso;
      sdcard = drv arm.sdcard;
      vm = drv x86.vm;
      sdcard-node-03 = drv fleet.legacyPackages.aarch64-linux.hosts.node-03.sdcard;
      disko-node-01 = drv fleet.legacyPackages.x86_64-linux.hosts.node-01.diskoScript;
      disko-node-02 = drv fleet.legacyPackages.x86_64-linux.hosts.node-02.diskoScript;
    }
    // lib.optionalAttrs (x86 ? kexec) { kexec = drv x86.kexec; };
    # The command and the wizard, as the overlay packages them from this repository.
    tools =
      let
        pkgs = import (path nixpkgs) {
          system = "x86_64-linux";
          overlays = [ overlay ];
        };
      in
      lib.mapAttrs (_: drv) { inherit (pkgs) macula-fleet macula-firstboot; };
  }
)
