# Packages of this project. `toolSource` is the repository; null when this folder was copied without it.
{ toolSource }:
final: _prev:
if toolSource == null then
  { }
else
  {
    macula-fleet = final.callPackage ./macula-fleet.nix { src = toolSource; };
  }
  // (
    if builtins.pathExists (toolSource + "/src/firstboot/main.ts") then
      {
        macula-firstboot = final.writeShellScriptBin "macula-firstboot" ''
          exec ${final.nodejs_24}/bin/node ${final.macula-fleet}/lib/macula-fleet/bin/macula-firstboot.js "$@"
        '';
      }
    else
      { }
  )
