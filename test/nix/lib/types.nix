# Option types: a name, a check, and how several definitions become one value.
lib:
let
  inherit (lib) showPath;

  # One value, or several that agree.
  one =
    path: defs:
    let
      values = map (d: d.value) defs;
      first = builtins.head values;
    in
    if builtins.all (v: v == first) values then
      first
    else
      throw "The option `${showPath path}' has conflicting definition values: ${
        lib.concatMapStringsSep ", " (d: "${d.file}: ${builtins.toJSON d.value}") defs
      }";

  type = name: check: merge: { inherit name check merge; };
  simple = name: check: type name check one;
  concat = _: defs: builtins.concatLists (map (d: d.value) defs);

  # Where the options of a submodule inside are found: for the documentation.
  inside =
    t: part: outer:
    outer
    // lib.optionalAttrs (t ? sub) {
      sub = t.sub // {
        path = lib.optional (part != null) part ++ t.sub.path;
      };
    };

  element =
    t: path: file: value:
    if t.check value then
      t.merge path [ { inherit file value; } ]
    else
      lib.wrongType path t file value;
in
rec {
  str = simple "str" builtins.isString;
  bool = simple "bool" builtins.isBool;
  int = simple "int" builtins.isInt;
  port = simple "port" (v: builtins.isInt v && v >= 0 && v <= 65535);
  ints.positive = simple "positive int" (v: builtins.isInt v && v > 0);
  ints.between =
    low: high: simple "int between ${toString low} and ${toString high}" (v: builtins.isInt v && v >= low && v <= high);
  path = simple "path" (v: builtins.isPath v || lib.hasPrefix "/" (toString v));
  package = simple "package" (v: builtins.isAttrs v || lib.hasPrefix "/nix/store" (toString v));
  raw = simple "raw" (_: true);
  anything = type "anything" (_: true) (
    path: defs:
    if builtins.all (d: builtins.isAttrs d.value) defs then lib.mergeFreely path defs else one path defs
  );
  lines = type "lines" builtins.isString (_: defs: lib.concatStringsSep "\n" (map (d: d.value) defs));
  enum = values: simple "one of ${builtins.toJSON values}" (v: builtins.elem v values);
  strMatching =
    pattern: simple "string matching ${pattern}" (v: builtins.isString v && builtins.match pattern v != null);

  listOf =
    t:
    inside t "*" (type "list of ${t.name}" builtins.isList (
      path: defs:
      concat path (
        map (d: {
          inherit (d) file;
          value = lib.imap0 (i: v: element t (path ++ [ (toString i) ]) d.file v) d.value;
        }) defs
      )
    ));

  nullOr =
    t:
    inside t null (type "null or ${t.name}" (v: v == null || t.check v) (
      path: defs:
      if builtins.all (d: d.value == null) defs then
        null
      else if builtins.any (d: d.value == null) defs then
        one path defs
      else
        t.merge path defs
    ));

  attrsOf =
    t:
    inside t "<name>" (type "attribute set of ${t.name}" builtins.isAttrs (
      path: defs:
      let
        names = lib.unique (lib.concatMap (d: builtins.attrNames d.value) defs);
        at =
          name:
          lib.mergeLeaf (path ++ [ name ]) t (
            lib.concatMap (
              d:
              lib.optional (d.value ? ${name}) {
                inherit (d) file;
                value = d.value.${name};
              }
            ) defs
          );
        defined = builtins.filter (name: (at name).isDefined) names;
      in
      lib.genAttrs defined (name: (at name).value)
    ));

  submodule =
    module:
    {
      sub = {
        inherit module;
        path = [ ];
      };
    }
    // type "submodule" (v: builtins.isAttrs v || builtins.isFunction v) (
      path: defs:
      (lib.evalModules {
        inherit path;
        known = { };
        specialArgs.name = lib.last path;
        modules = [
          module
        ]
        ++ map (d: {
          _file = d.file;
          config = d.value;
        }) defs;
      }).config
    );
}
