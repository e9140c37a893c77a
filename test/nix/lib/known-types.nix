# How an option of nixpkgs or disko merges, by the name of its type in known-options.json.
lib:
let
  inherit (builtins) attrNames concatMap isAttrs;
  inherit (lib) mergeFreely;

  # How a known option of a real type merges.
  knownType =
    name:
    let
      lists = [ "listOf" ];
      sets = [
        "attrsOf"
        "lazyAttrsOf"
        "attrs"
        "submodule"
        "anything"
        "unspecified"
      ];
      texts = [
        "separatedString"
        "lines"
        "commas"
      ];
    in
    if builtins.elem name lists then
      lib.types.listOf lib.types.raw // { inherit name; }
    else if name == "attrsOf deferredModule" then
      {
        inherit name;
        check = isAttrs;
        merge =
          _: defs:
          lib.genAttrs (lib.unique (concatMap (d: attrNames d.value) defs)) (module: {
            imports = concatMap (d: lib.optional (d.value ? ${module}) d.value.${module}) defs;
          });
      }
    else if builtins.elem name sets then
      {
        inherit name;
        check = isAttrs;
        merge = mergeFreely;
      }
    else if name == "coercedTo" || name == "either" then
      {
        inherit name;
        check = _: true;
        merge =
          path: defs:
          if builtins.all (d: builtins.isList d.value) defs then
            concatMap (d: d.value) defs
          else
            lib.types.anything.merge path defs;
      }
    # Settings of a file format: nothing, or a tree.
    else if name == "nullOr" then
      lib.types.raw
      // {
        inherit name;
        merge =
          path: defs:
          if builtins.all (d: isAttrs d.value && (d.value.type or null) != "derivation") defs then
            mergeFreely path defs
          else
            lib.types.raw.merge path defs;
      }
    else if builtins.elem name texts then
      lib.types.lines // { inherit name; }
    else if name == "bool" then
      lib.types.bool
    else
      lib.types.raw // { inherit name; };
in
knownType
