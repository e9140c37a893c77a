# mkIf, mkMerge, priorities and order: how they are written, and how they are taken apart again.
let
  inherit (builtins) concatMap isAttrs mapAttrs;
  isType = type: v: isAttrs v && (v._type or null) == type;

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };

  # A value with properties -> [ { value; priority; order } ], conditions decided.
  discharge =
    v:
    if isType "merge" v then
      concatMap discharge v.contents
    else if isType "if" v then
      if v.condition then discharge v.content else [ ]
    else if isType "override" v then
      map (d: d // { inherit (v) priority; }) (discharge v.content)
    else if isType "order" v then
      map (d: d // { order = v.priority; }) (discharge v.content)
    else
      [
        {
          value = v;
          priority = 100;
          order = 1000;
        }
      ];

  # Moves mkIf and mkMerge from an attribute set to its attributes, so that its names are known before its conditions.
  pushDown =
    v:
    if isType "merge" v then
      concatMap pushDown v.contents
    else if isType "if" v then
      map (mapAttrs (_: mkIf v.condition)) (pushDown v.content)
    else if isType "override" v then
      map (mapAttrs (_: mkOverride v.priority)) (pushDown v.content)
    else
      [ v ];
in
{
  inherit
    discharge
    isType
    mkIf
    mkMerge
    mkOrder
    mkOverride
    pushDown
    ;
}
