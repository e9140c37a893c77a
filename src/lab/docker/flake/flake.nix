{
  description = "Lab fleet: systems shaped like NixOS, built from one static busybox, without nixpkgs and without a network";

  # Beside this file the lab writes: bin/busybox, fleet.json (the resolved inventory), release.json (what this
  # revision changes). See lib/release.nix for what a release may say.
  outputs = { self }:
    let
      fleet = builtins.fromJSON (builtins.readFile ./fleet.json);
      release = builtins.fromJSON (builtins.readFile ./release.json);
      hosts =
        if builtins.isList fleet.hosts
        then builtins.listToAttrs (map (host: { inherit (host) name; value = host; }) fleet.hosts)
        else fleet.hosts;
      mkHost = import ./lib/host.nix { busybox = "${./bin}/busybox"; inherit release; };
    in
    {
      nixosConfigurations = builtins.mapAttrs mkHost hosts;
    };
}
