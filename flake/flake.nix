{
  description = "MaculaOS: NixOS machines for a Macula fleet, made from the fleet's inventory";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

    disko.url = "github:nix-community/disko";
    disko.inputs.nixpkgs.follows = "nixpkgs";

    # Only for packages.<system>.kexec, the installer nixos-anywhere boots a running machine into.
    nixos-images.url = "github:nix-community/nixos-images";
    nixos-images.inputs.nixos-stable.follows = "nixpkgs";
    nixos-images.inputs.nixos-unstable.follows = "nixpkgs";

    # The resolved inventory, a folder with `fleet.json`. macula-fleet passes the real one:
    #   --override-input inventory path:/where/it/wrote/it
    # Without it this flake stands in, with the example of its folder `inventory`: so nothing of it is in the lock, which
    # Nix writes differently before and after 2.26.
    inventory.follows = "";
    inventory.flake = false;
  };

  outputs =
    {
      self,
      nixpkgs,
      disko,
      nixos-images,
      inventory,
    }:
    let
      inherit (nixpkgs) lib;

      # The repository, when this flake was taken from it by `?dir=flake`; else only this folder exists.
      repository = self.sourceInfo.outPath or self.outPath;
      toolSource = if builtins.pathExists (repository + "/src/main.ts") then repository else null;
      overlay = import ./pkgs/overlay.nix { inherit toolSource; };

      macula = import ./lib {
        inherit
          nixpkgs
          disko
          nixos-images
          overlay
          ;
      };
      fleet = macula.mkFleet {
        inventory = [
          inventory
          ./inventory
        ];
      };
      forSystems = f: lib.genAttrs macula.systems (system: f system macula.pkgsFor.${system});
    in
    {
      # For a fleet's own flake: outputs = { macula, ... }: macula.lib.mkFleet { inventory = ./fleet.json; };
      lib = {
        inherit (macula) mkFleet inventory;
        inherit (fleet) secrets;
      };

      overlays.default = overlay;

      # As sets with imports, not as paths: older Nix refuses paths here.
      nixosModules = {
        default.imports = [
          disko.nixosModules.disko
          ./modules
        ];
        base.imports = [
          ./modules/base.nix
          ./modules/minimal.nix
        ];
        k3s.imports = [
          ./modules/firewall.nix
          ./modules/k3s.nix
          ./modules/macula.nix
          ./modules/secrets.nix
        ];
        macula.imports = [
          ./modules/macula.nix
        ];
        networking.imports = [
          ./modules/networking.nix
          ./modules/secrets.nix
        ];
      };

      inherit (fleet) nixosConfigurations;

      packages = forSystems (
        system: pkgs:
        fleet.packages.${system}
        // lib.optionalAttrs (toolSource != null) {
          inherit (pkgs) macula-fleet;
          default = pkgs.macula-fleet;
        }
      );

      legacyPackages = fleet.legacyPackages;

      apps = forSystems (
        _: pkgs:
        lib.optionalAttrs (toolSource != null) rec {
          macula-fleet = {
            type = "app";
            program = "${pkgs.macula-fleet}/bin/macula-fleet";
          };
          default = macula-fleet;
        }
      );

      checks = forSystems (
        system: pkgs:
        fleet.checks.${system}
        // import ./checks {
          inherit lib pkgs;
          packages = fleet.packages.${system};
        }
      );

      devShells = forSystems (
        _: pkgs: {
          default = pkgs.mkShell {
            packages = [
              pkgs.nodejs_24
              pkgs.nixos-anywhere
              pkgs.sops
              pkgs.age
              pkgs.jq
            ];
          };
        }
      );

      formatter = forSystems (_: pkgs: pkgs.nixfmt);

      templates.default = {
        path = ./template;
        description = "A fleet of MaculaOS machines";
      };
    };
}
