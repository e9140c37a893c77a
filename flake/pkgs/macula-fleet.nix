# The command itself. Node runs the TypeScript as it is, so there is nothing to compile; only the runtime
# dependencies are fetched, and none of them is native code.
{
  lib,
  stdenvNoCC,
  nodejs_24,
  cacert,
  makeWrapper,
  openssh,
  src,
}:
let
  package = lib.importJSON (src + "/package.json");

  # The lockfile carries hashes but no addresses, so npm itself fetches and this one hash covers the result. It changes
  # with package-lock.json: build once, take over the hash that Nix prints.
  dependencies = stdenvNoCC.mkDerivation {
    name = "macula-fleet-node-modules";
    nativeBuildInputs = [
      nodejs_24
      cacert
    ];
    buildCommand = ''
      cp ${src + "/package.json"} package.json
      cp ${src + "/package-lock.json"} package-lock.json
      export HOME=$TMPDIR
      npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
      rm -f node_modules/.package-lock.json
      mv node_modules $out
    '';
    impureEnvVars = lib.fetchers.proxyImpureEnvVars;
    outputHashMode = "recursive";
    outputHash = lib.trim (builtins.readFile ./node-modules.hash);
    # A shebang patched to a store path would make the output depend on what it must not.
    dontPatchShebangs = true;
    dontFixup = true;
  };
in
stdenvNoCC.mkDerivation {
  pname = package.name;
  inherit (package) version;
  dontUnpack = true;
  nativeBuildInputs = [ makeWrapper ];
  installPhase = ''
    mkdir -p $out/lib/macula-fleet $out/bin
    cp -r ${src + "/bin"} ${src + "/src"} ${src + "/inventory"} $out/lib/macula-fleet/
    cp ${src + "/package.json"} $out/lib/macula-fleet/package.json
    ln -s ${dependencies} $out/lib/macula-fleet/node_modules
    makeWrapper ${nodejs_24}/bin/node $out/bin/macula-fleet \
      --add-flags $out/lib/macula-fleet/bin/macula-fleet.js \
      --suffix PATH : ${lib.makeBinPath [ openssh ]}
  '';
  meta = {
    inherit (package) description;
    mainProgram = "macula-fleet";
    license = lib.licenses.asl20;
  };
}
