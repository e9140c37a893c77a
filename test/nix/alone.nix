# One exported module by itself -> the options of nixpkgs it sets.
module:
let
  lib = import ./lib;
  types = builtins.mapAttrs (_: o: o.type) (lib.importJSON ./known-options.json).options;
  insert =
    tree: path: type:
    if path == [ ] then
      { _known = type; }
    else
      let
        raw = builtins.head path;
        name = if lib.hasPrefix "<" raw then "*" else raw;
      in
      tree // { ${name} = insert (tree.${name} or { }) (builtins.tail path) type; };
  e = lib.evalModules {
    known = builtins.foldl' (tree: name: insert tree (lib.splitString "." name) types.${name}) { } (
      builtins.attrNames types
    );
    specialArgs.pkgs = import ./lib/packages.nix lib "x86_64-linux";
    modules = [
      module
      {
        _file = "nixpkgs";
        config = lib.mkOverride 1500 {
          networking.hostName = "nixos";
          networking.enableIPv6 = true;
          networking.nftables.enable = false;
        };
      }
    ];
  };
in
builtins.seq e.config (
  map (d: builtins.concatStringsSep "." d.path) (
    builtins.filter (d: !d.ours && builtins.seq d.value true) e.definitions
  )
)
