{
  description = "A fleet of lab systems whose hosts come from the inventory, with an installer medium";

  # Beside this file: lib, bin and boot of the lab's flake, installer/ (see iso.nix), release.json.
  inputs.inventory.url = "path:./inventory";
  inputs.inventory.flake = false;

  outputs = { self, inventory }:
    let
      fleet = builtins.fromJSON (builtins.readFile "${inventory}/fleet.json");
      release = builtins.fromJSON (builtins.readFile ./release.json);
      busybox = "${./bin}/busybox";
      hosts = builtins.listToAttrs (map (host: { inherit (host) name; value = host; }) fleet.hosts);
    in
    {
      nixosConfigurations = builtins.mapAttrs (import ./lib/host.nix { inherit busybox release; }) hosts;
      packages.x86_64-linux.iso = import ./iso.nix { inherit busybox release fleet; } "x86_64-linux";
    };
}
