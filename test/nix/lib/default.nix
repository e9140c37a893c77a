# A small `lib` of our own, so that the flake's modules evaluate where there is no nixpkgs: only what they use, with
# the semantics of the real one (priorities, mkIf pushed down to leaves, typed options). Written for these tests.
let
  strings = import ./strings.nix;
  modules = import ./modules.nix lib;
  lib =
    strings
    // modules
    // {
      types = import ./types.nix lib;

      inherit (builtins)
        all
        any
        attrNames
        attrValues
        concatLists
        concatMap
        elem
        elemAt
        filter
        foldl'
        genList
        head
        isAttrs
        isBool
        isFunction
        isInt
        isList
        isPath
        isString
        length
        listToAttrs
        mapAttrs
        match
        replaceStrings
        tail
        ;

      id = x: x;
      importJSON = path: builtins.fromJSON (builtins.readFile path);
      nameValuePair = name: value: { inherit name value; };
      filterAttrs =
        keep: set: removeAttrs set (filter (name: !(keep name set.${name})) (builtins.attrNames set));
      mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
      mapAttrs' = f: set: builtins.listToAttrs (lib.mapAttrsToList f set);
      genAttrs =
        names: f:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = f name;
          }) names
        );
      optional = condition: value: if condition then [ value ] else [ ];
      optionals = condition: list: if condition then list else [ ];
      optionalAttrs = condition: set: if condition then set else { };
      imap0 = f: list: builtins.genList (i: f i (builtins.elemAt list i)) (builtins.length list);
      range = from: to: if from > to then [ ] else builtins.genList (i: from + i) (to - from + 1);
      unique = builtins.foldl' (seen: x: if builtins.elem x seen then seen else seen ++ [ x ]) [ ];
      findFirst =
        wanted: otherwise: list:
        let
          found = filter wanted list;
        in
        if found == [ ] then otherwise else builtins.head found;
    };
  inherit (builtins) filter;
in
lib
