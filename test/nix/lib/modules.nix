# The module system, as much of it as we need. Options are declared by our modules or *known*: names nixpkgs and disko
# declare, from known-options.json. Anything else is an error, as it would be there.
lib:
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    filter
    isAttrs
    isFunction
    mapAttrs
    ;
  properties = import ./properties.nix;
  inherit (properties)
    discharge
    isType
    mkIf
    mkOrder
    mkOverride
    pushDown
    ;
  knownType = import ./known-types.nix lib;
  showPath = builtins.concatStringsSep ".";

  wrongType =
    path: type: file: value:
    throw "A definition for option `${showPath path}' is not of type `${type.name}'. In `${file}': ${builtins.toJSON value}";

  # Definitions of one option -> { isDefined; value; }
  mergeLeaf =
    path: type: defs:
    let
      all = concatMap (d: map (v: v // { inherit (d) file; }) (discharge d.value)) defs;
      best = builtins.foldl' (p: d: if d.priority < p then d.priority else p) 9999 all;
      winning = builtins.sort (a: b: a.order < b.order) (filter (d: d.priority == best) all);
    in
    {
      isDefined = winning != [ ];
      value = type.merge path (
        map (d: if type.check d.value then d else wrongType path type d.file d.value) winning
      );
    };

  # Attribute sets of no declared shape: by name, down to values.
  mergeFreely =
    path: defs:
    let
      parts = concatMap (
        d:
        map (v: {
          inherit (d) file;
          value = v;
        }) (pushDown d.value)
      ) defs;
      names = lib.unique (concatMap (d: attrNames d.value) parts);
      at =
        name:
        mergeLeaf (path ++ [ name ]) lib.types.anything (
          concatMap (
            d:
            lib.optional (d.value ? ${name}) {
              inherit (d) file;
              value = d.value.${name};
            }
          ) parts
        );
    in
    lib.genAttrs (filter (name: (at name).isDefined) names) (name: (at name).value);

  # --- modules ---
  load =
    args: m:
    let
      file = if builtins.isPath m then toString m else m._file or "<inline>";
      imported = if builtins.isPath m then import m else m;
      applied = if isFunction imported then imported args else imported;
      structured = applied ? config || applied ? options || applied ? imports;
      known = [
        "_file"
        "key"
        "config"
        "options"
        "imports"
        "disabledModules"
      ];
      stray = filter (n: !(builtins.elem n known)) (attrNames applied);
    in
    if structured && stray != [ ] then
      throw "${file}: ${showPath stray} must be inside `config'"
    else
      [
        {
          inherit file;
          options = applied.options or { };
          config =
            if structured then
              applied.config or { }
            else
              removeAttrs applied [
                "_file"
                "key"
                "disabledModules"
              ];
        }
      ]
      ++ concatMap (load args) (
        map (i: if builtins.isPath i || i ? _file || isFunction i then i else i // { _file = file; }) (
          applied.imports or [ ]
        )
      );

  # A tree of `known` has leaves { _known = TYPE; } and may have a wildcard branch "*".
  child =
    tree: name: if tree ? ${name} then tree.${name} else tree."*" or null;

  evalModules =
    {
      modules,
      known ? { },
      specialArgs ? { },
      path ? [ ],
    }:
    let
      args = specialArgs // {
        inherit config options lib;
      };
      loaded = concatMap (load args) modules;

      declared = builtins.foldl' (acc: m: mergeOptions m.file [ ] acc m.options) { } loaded;
      mergeOptions =
        file: at: a: b:
        a
        // mapAttrs (
          name: v:
          if !(a ? ${name}) then
            v
          else if isType "option" v || isType "option" a.${name} then
            throw "The option `${showPath (at ++ [ name ])}' in ${file} is already declared"
          else
            mergeOptions file (at ++ [ name ]) a.${name} v
        ) b;

      # -> { values; defined; } for one level of the tree
      level =
        at: opts: knowns: defs:
        let
          parts = concatMap (
            d:
            map (v: {
              inherit (d) file;
              value =
                if isAttrs v then v else throw "`${showPath at}' is not a set of options. In `${d.file}'";
            }) (pushDown d.value)
          ) defs;
          names = lib.unique (attrNames opts ++ concatMap (d: attrNames d.value) parts);
          inner =
            name:
            concatMap (
              d:
              lib.optional (d.value ? ${name}) {
                inherit (d) file;
                value = d.value.${name};
              }
            ) parts;
        in
        lib.genAttrs names (
          name:
          let
            here = at ++ [ name ];
            option = opts.${name} or { };
            knownHere = if knowns == null then null else child knowns name;
            found = inner name;
          in
          if isType "option" option then
            leaf here option found
          else if knownHere != null && knownHere ? _known then
            leaf here { type = knownType knownHere._known; } found
          else if opts ? ${name} || knownHere != null then
            { tree = level here option knownHere found; }
          else
            # Only a condition that holds makes it a mistake.
            leaf here {
              type = lib.types.raw // {
                merge =
                  _: winning:
                  throw "The option `${showPath (path ++ here)}' does not exist. Definition in `${(builtins.head winning).file}'";
              };
              strange = true;
            } found
        );

      leaf =
        at: option: defs:
        let
          merged = mergeLeaf (path ++ at) option.type (
            defs
            ++ lib.optional (option ? default) {
              file = "default";
              value = mkOverride 1500 option.default;
            }
          );
        in
        {
          leaf = merged;
          ours = option ? _type;
          strange = option.strange or false;
        };

      tree = level [ ] declared known (
        map (m: {
          inherit (m) file;
          value = m.config;
        }) loaded
      );

      valueOf =
        at: node:
        if node ? tree then
          mapAttrs (name: valueOf (at ++ [ name ])) node.tree
        else if node.leaf.isDefined then
          node.leaf.value
        else
          throw "The option `${showPath (path ++ at)}' is used but has no value";
      config = mapAttrs (name: valueOf [ name ]) tree;
      options = lib.recursiveUpdate known declared;

      # Every option that has a value: { path; value; ours; }
      flatten =
        at: node:
        if node ? tree then
          concatLists (lib.mapAttrsToList (name: flatten (at ++ [ name ])) node.tree)
        else if node.leaf.isDefined then
          [
            {
              path = at;
              inherit (node.leaf) value;
              inherit (node) ours strange;
            }
          ]
        else
          [ ];
      definitions = concatLists (lib.mapAttrsToList (name: flatten [ name ]) tree);

      # Forces the refusal of unknown options even where nobody reads them.
      checked = builtins.foldl' (ok: d: if d.strange then builtins.seq d.value ok else ok) true definitions;
    in
    {
      inherit options declared definitions;
      config = builtins.seq checked config;
      extend = more: evalModules {
        inherit known specialArgs path;
        modules = modules ++ more;
      };
    };
in
{
  inherit
    evalModules
    mergeFreely
    mergeLeaf
    showPath
    wrongType
    ;
  inherit (properties)
    mkIf
    mkMerge
    mkOrder
    mkOverride
    ;
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  mkOptionDefault = mkOverride 1500;
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;
  mkOption = attrs: attrs // { _type = "option"; };
  mkEnableOption =
    what:
    {
      _type = "option";
      type = lib.types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };
  literalExpression = text: { _type = "literalExpression"; inherit text; };
  last = list: builtins.elemAt list (builtins.length list - 1);
  recursiveUpdate =
    a: b:
    a
    // mapAttrs (
      name: v: if a ? ${name} && isAttrs v && isAttrs a.${name} then lib.recursiveUpdate a.${name} v else v
    ) b;
}
