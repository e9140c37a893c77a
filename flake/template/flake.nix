{
  description = "My Macula fleet";

  inputs = {
    # Where you have the macula-fleet repository from; MaculaOS is its folder `flake`.
    macula.url = "git+https://git.example.org/macula-fleet?dir=flake";
    # Your own pin. Update it when you want newer machines: nix flake update nixpkgs
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    macula.inputs.nixpkgs.follows = "nixpkgs";
    # What macula-fleet makes of inventory.yaml, and passes with every command. Without it: ./inventory/fleet.json
    inventory.follows = "";
    inventory.flake = false;
  };

  outputs =
    { macula, inventory, ... }:
    let
      fleet = macula.lib.mkFleet {
        inventory = [
          inventory
          ./inventory
        ];
        # For every host:
        modules = [ ];
        # For one:  hostModules.node-01 = [ ./node-01.nix ];
        hostModules = { };
      };
    in
    {
      inherit (fleet)
        nixosConfigurations
        packages
        legacyPackages
        checks
        ;
      lib.secrets = fleet.secrets;
    };
}
