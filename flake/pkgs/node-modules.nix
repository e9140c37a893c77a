# The runtime dependencies, as package-lock.json names them: what `npm ci --omit=dev --omit=optional --ignore-scripts`
# installs. npm fetches each tarball, and the lock's own hash says what it must be: so there is no second hash to keep.
# None of them needs a build. They stay in a folder `node_modules`, or Node would not find one from another.
{
  lib,
  runCommand,
  nodejs_24,
  cacert,
  lockFile,
}:
let
  wanted =
    path: entry:
    path != "" && !(entry.dev or false || entry.optional or false || entry.devOptional or false);
  packages = lib.filterAttrs wanted (lib.importJSON lockFile).packages;

  tarball =
    path: entry:
    let
      name = lib.last (lib.splitString "node_modules/" path);
    in
    runCommand "${baseNameOf name}-${entry.version}.tgz"
      {
        nativeBuildInputs = [
          nodejs_24
          cacert
        ];
        impureEnvVars = lib.fetchers.proxyImpureEnvVars;
        outputHashMode = "flat";
        outputHash = entry.integrity;
      }
      ''
        export HOME=$TMPDIR
        npm pack --silent ${lib.escapeShellArg "${name}@${entry.version}"}
        mv ./*.tgz $out
      '';

  # Sorted by path, so a package is there before those inside it.
  unpack = path: entry: ''
    unpack ${lib.escapeShellArg path} ${tarball path entry}
  '';
in
runCommand "macula-fleet-node-modules" { } ''
  unpack() {
    mkdir -p "$out/$1"
    tar --extract --gzip --file "$2" --directory "$out/$1" --strip-components=1 --no-same-owner
  }
  ${lib.concatStrings (lib.mapAttrsToList unpack packages)}
  # Some were packed without the right to enter their folders.
  chmod -R u+rwX,go+rX "$out"
''
