# The command itself. Node runs the TypeScript as it is, so there is nothing to compile.
{
  lib,
  stdenvNoCC,
  nodejs_24,
  callPackage,
  makeWrapper,
  openssh,
  src,
}:
let
  package = lib.importJSON (src + "/package.json");
  dependencies = callPackage ./node-modules.nix { lockFile = src + "/package-lock.json"; };
in
stdenvNoCC.mkDerivation {
  pname = package.name;
  inherit (package) version;
  dontUnpack = true;
  nativeBuildInputs = [ makeWrapper ];
  installPhase = ''
    mkdir -p $out/lib/macula-fleet $out/bin
    # `init` writes fleets that take their modules, and with them this command and the wizard, from here.
    cp -r ${src}/bin ${src}/flake ${src}/inventory ${src}/package.json ${src}/package-lock.json ${src}/src \
      $out/lib/macula-fleet/
    ln -s ${dependencies}/node_modules $out/lib/macula-fleet/node_modules
    makeWrapper ${nodejs_24}/bin/node $out/bin/macula-fleet \
      --add-flags $out/lib/macula-fleet/bin/macula-fleet.js \
      --suffix PATH : ${lib.makeBinPath [ openssh ]}
  '';
  passthru = { inherit dependencies; };
  meta = {
    inherit (package) description;
    mainProgram = "macula-fleet";
    license = lib.licenses.mit;
  };
}
