# What `nix flake check` adds to a fleet's own checks here: images within their budgets, every program's syntax.
# With --no-build: everything evaluates.
{
  lib,
  pkgs,
  packages,
}:
let
  budgets = lib.importJSON ./budgets.json;

  # `image` is a build output with the file in it, `config` the system inside.
  withinBudget =
    name: image: toplevel:
    pkgs.runCommand "size-budget-${name}" { } ''
      cd ${image}
      sh ${./size-budget.sh} ${name} ${lib.escapeShellArg budgets.${name}.file} ${toString budgets.${name}.mebibytes} \
        ${pkgs.closureInfo { rootPaths = [ toplevel ]; }}/store-paths | tee $out
    '';

  # The budget is for what a card holds, so measure it unpacked.
  unpackedCard = packages.sdcard.passthru.config.system.build.sdImage.overrideAttrs (_: {
    compressImage = "";
  });

  scripts = [
    ../modules/adopt/macula-adopt.sh
    ../modules/health/macula-health.sh
    ../modules/firewall/macula-firewall-names.sh
    ../modules/hostname/macula-hostname.sh
    ../modules/pull/macula-pull.sh
    ../modules/secrets/restart-changed.sh
    ./no-secrets.sh
    ./size-budget.sh
  ];
in
{
  scripts = pkgs.runCommand "macula-scripts" { nativeBuildInputs = [ pkgs.shellcheck-minimal ]; } ''
    for script in ${toString scripts}; do shellcheck -s bash "$script"; done
    touch $out
  '';
}
// lib.optionalAttrs (packages ? iso) {
  size-iso = withinBudget "iso" packages.iso packages.iso.passthru.config.system.build.toplevel;
}
// lib.optionalAttrs (packages ? sdcard) {
  size-sdcard = withinBudget "sdcard" unpackedCard packages.sdcard.passthru.config.system.build.toplevel;
}
