# Evaluates the machines of an inventory with the small lib. Arguments come from the tests as JSON texts.
#   -> { hosts.<name> = { values; unknown; failed; secrets; }; }
{
  inventory,
  flake,
  known ? toString ./known-options.json,
  # Path of one more module, to see how it is taken.
  extra ? null,
  only ? null,
  operatorKeys ? [ ],
}:
let
  lib = import ./lib;
  inventoryLib = import (flake + "/lib/inventory.nix") { inherit lib; };
  hostModule = import (flake + "/lib/host-module.nix") { inherit lib; };
  fleet = inventoryLib.load (/. + inventory);

  # "a.<name>.b": type -> tree with "*" for the wildcard.
  insert =
    tree: path: type:
    if path == [ ] then
      { _known = type; }
    else
      let
        raw = builtins.head path;
        name = if lib.hasPrefix "<" raw || raw == "*" then "*" else raw;
      in
      tree // { ${name} = insert (tree.${name} or { }) (builtins.tail path) type; };
  knownTree = builtins.foldl' (tree: name: insert tree (lib.splitString "." name) knownTypes.${name}) { } (
    builtins.attrNames knownTypes
  );
  knownTypes = builtins.mapAttrs (_: o: o.type) (lib.importJSON (/. + known)).options;

  # Values of nixpkgs' own that our modules read.
  nixpkgs =
    pkgs:
    lib.mkOverride 1500 {
      services.k3s.package = pkgs.k3s;
      nix.package = pkgs.nix;
      systemd.package = pkgs.systemd;
      system.nixos.release = "26.05";
      networking.hostName = "nixos";
      networking.enableIPv6 = true;
      networking.nftables.enable = false;
    };

  machine =
    system: modules:
    let
      pkgs = import ./lib/packages.nix lib system;
      e = lib.evalModules {
        known = knownTree;
        specialArgs = { inherit pkgs; };
        modules = [
          (flake + "/modules")
          {
            _file = "nixpkgs";
            config = nixpkgs pkgs;
          }
        ]
        ++ modules
        ++ lib.optional (extra != null) (/. + extra);
      };
      # Image variants and the VM are modules of their own, evaluated on top.
      variant = module: e.extend [ module ];
    in
    e // { inherit variant; };

  # What can be written as JSON; packages by name.
  plain =
    v:
    if builtins.isFunction v then
      "<function>"
    else if builtins.isAttrs v && (v.type or null) == "derivation" then
      "<${v.name}>" + (if v ? generated then v.generated else "")
    else if builtins.isAttrs v then
      builtins.mapAttrs (_: plain) v
    else if builtins.isList v then
      map plain v
    else if builtins.isPath v then
      toString v
    else
      v;

  report =
    e:
    builtins.seq e.config {
      # path, joined by a character that no option has
      values = builtins.listToAttrs (
        map (d: {
          name = builtins.concatStringsSep "." d.path;
          value = plain d.value;
        }) (builtins.filter (d: !(isLazy d.path)) e.definitions)
      );
      # Options of nixpkgs or disko that got a value.
      used = map (d: builtins.concatStringsSep "." d.path) (builtins.filter (d: !d.ours) e.definitions);
      failed = map (a: a.message) (builtins.filter (a: !a.assertion) (e.config.assertions or [ ]));
      secrets = e.config.macula.secrets;
    };
  # Only modules inside, or a value that is deliberately an error until a disk is named.
  isLazy =
    path:
    builtins.elem path [
      [ "image" "modules" ]
      [ "disko" "devices" ]
      [ "virtualisation" "vmVariant" ]
    ];
  hostMachine =
    name:
    machine fleet.hosts.${name}.arch [ (hostModule fleet operatorKeys fleet.hosts.${name}) ];
  image =
    file: system:
    machine system [
      file
      {
        config = {
          nixpkgs.hostPlatform = system;
          system.stateVersion = "26.05";
          macula.installer.keys = [ "ssh-ed25519 AAAAtest" ];
        };
      }
    ];
  attempt =
    value:
    let
      tried = builtins.tryEval (builtins.deepSeq value value);
    in
    if tried.success then tried.value else "refused";
  names = if only == null then fleet.order else [ only ];
in
{
  hosts = lib.genAttrs names (name: report (hostMachine name));
  # null: the system came as an image. "refused": no disk is named.
  disks = lib.genAttrs names (
    name:
    let
      found = builtins.filter (d: d.path == [ "disko" "devices" ]) (hostMachine name).definitions;
    in
    if found == [ ] then null else attempt (plain (builtins.head found).value)
  );
  vm = lib.genAttrs names (
    name:
    let
      e = hostMachine name;
    in
    report (e.variant { config = e.config.virtualisation.vmVariant; })
  );
  # Options this flake declares, for the documentation.
  options =
    let
      describe =
        at: option:
        let
          inner = option.type.sub or null;
          below =
            if inner == null then
              [ ]
            else
              let
                m = if builtins.isFunction inner.module then inner.module { name = "‹name›"; } else inner.module;
              in
              collect (at ++ inner.path) m.options;
        in
        [
          {
            name = builtins.concatStringsSep "." at;
            type = option.type.name;
            default =
              if option ? defaultText then
                option.defaultText.text or option.defaultText
              else if option ? default then
                builtins.toJSON (plain option.default)
              else
                null;
            description = option.description or (throw "${builtins.concatStringsSep "." at} has no description");
          }
        ]
        ++ below;
      collect =
        at: tree:
        builtins.concatLists (
          lib.mapAttrsToList (
            name: v:
            if (v._type or null) == "option" then describe (at ++ [ name ]) v else collect (at ++ [ name ]) v
          ) tree
        );
    in
    collect [ ] (hostMachine (builtins.head names)).declared
    ++ collect [ ] (import (flake + "/images/keys.nix") { inherit lib; }).options;
  images =
    let
      installer = image (flake + "/images/installer.nix") "x86_64-linux";
      unpaired = image (flake + "/images/unpaired.nix") "aarch64-linux";
      # As the overlay has it where the flake was taken from the repository.
      wizard =
        { pkgs, ... }:
        {
          config.macula.firstboot.package = pkgs.curl // {
            name = "macula-firstboot";
          };
        };
      modulesOf = e: format: e.config.image.modules.${format}.imports;
    in
    {
      iso = report (installer.extend (modulesOf installer "iso"));
      sdcard = report (unpaired.extend (modulesOf unpaired "sd-card" ++ [ wizard ]));
      withoutWizard = report (unpaired.extend (modulesOf unpaired "sd-card"));
    };
}
