# For `ExecStartPre`: a converted node's data becomes its service's, as root and before the service starts.
{ pkgs }:
source: target:
let
  program = pkgs.writeShellApplication {
    name = "macula-adopt";
    runtimeInputs = [
      pkgs.coreutils
      pkgs.findutils
    ];
    # Judges exit statuses itself.
    bashOptions = [ ];
    text = builtins.readFile ../modules/adopt/macula-adopt.sh;
  };
in
"+${program}/bin/macula-adopt ${source} ${target}"
