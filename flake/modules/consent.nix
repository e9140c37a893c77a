# Programs of this machine's owner that are asked before every change of its system, by rollouts and by pull mode alike
# (docs/host-protocol.md, "Its owner's consent").
{ config, lib, ... }:
let
  programs = config.macula.consent;
in
{
  options.macula.consent = lib.mkOption {
    type = lib.types.attrsOf lib.types.lines;
    default = { };
    example = {
      "10-shop" = ''
        [ "$(date +%H)" -ge 18 ] && exit 0
        echo "the shop is open"
        echo "until=18:00"
        exit 21
      '';
    };
    description = "Asked as root before another system is activated, in the order of their names; lines for sh. Exit 0 agrees. Exit 21 means not now: the first line printed says why, a line `until=TIME` when to ask again. Any other exit, or no answer within 10 s, is no consent either.";
  };

  config = {
    assertions = map (name: {
      assertion = builtins.match "[A-Za-z0-9_.-]*[A-Za-z0-9_-]" name != null;
      message = "macula.consent: ${name} is no name for a program: letters, digits, `.`, `_` and `-` only.";
    }) (lib.attrNames programs);
    environment.etc = lib.mapAttrs' (
      name: text:
      lib.nameValuePair "macula-fleet/consent.d/${name}" {
        text = "#!/bin/sh\n${text}";
        mode = "0755";
      }
    ) programs;
  };
}
