# One nixpkgs for all hosts of a platform instead of one per host: evaluating a fleet then takes about half the time
# and half the memory, and every system stays the same, to the bit. Steps aside wherever a host asks for packages of
# its own (`nixpkgs.config`, another platform); `nixpkgs.overlays` of yours go on top of what is shared.
{ pkgsFor, overlay }:
{
  config,
  lib,
  options,
  ...
}:
let
  cfg = config.nixpkgs;
  untouched = option: option.highestPrio >= (lib.mkOptionDefault null).priority;
  shared = pkgsFor.${cfg.hostPlatform.system} or null;
  # Not `lib.systems.equals`: `parsed` holds functions, which are equal only within one copy of lib, and nixpkgs' flake
  # extends its own. It follows from the rest.
  plain =
    platform:
    lib.filterAttrs (_: value: !(lib.isFunction value)) (
      removeAttrs platform [
        "_withoutFunctions"
        "parsed"
      ]
    );
  share =
    lib.all untouched [
      options.nixpkgs.buildPlatform
      options.nixpkgs.config
      options.nixpkgs.crossSystem
      options.nixpkgs.localSystem
    ]
    && shared != null
    && plain cfg.hostPlatform == plain shared.stdenv.hostPlatform;
in
{
  _file = ./shared-pkgs.nix;
  config = lib.mkMerge [
    (lib.mkIf share { nixpkgs.pkgs = lib.mkDefault shared; })
    (lib.mkIf (!share) { nixpkgs.overlays = [ overlay ]; })
  ];
}
