# Names, types and declaring files of the options in known-options.json, read from a real nixpkgs and disko:
#   nix-instantiate --eval --strict --json known-options.nix --arg nixpkgs PATH --arg disko PATH
# Everything below these roots is listed, so that a misspelt name is refused and a right one is not.
{ nixpkgs, disko }:
let
  lib = import (nixpkgs + "/lib");
  eval =
    modules:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit lib;
      system = null;
      modules = [
        (disko + "/module.nix")
        { nixpkgs.hostPlatform = "aarch64-linux"; }
      ]
      ++ modules;
    };
  plain = eval [ ];
  iso = eval [ (nixpkgs + "/nixos/modules/installer/cd-dvd/iso-image.nix") ];
  card = eval [ (nixpkgs + "/nixos/modules/installer/sd-card/sd-image.nix") ];

  roots = [
    "assertions"
    "boot.extraModprobeConfig"
    "boot.initrd.availableKernelModules"
    "boot.initrd.systemd.enable"
    "boot.kernel.sysctl"
    "boot.kernelModules"
    "boot.kernelPackages"
    "boot.kernelParams"
    "boot.loader.efi"
    "boot.loader.generic-extlinux-compatible"
    "boot.loader.grub"
    "boot.loader.systemd-boot"
    "boot.loader.timeout"
    "boot.supportedFilesystems"
    "boot.tmp"
    "disko.devices"
    "documentation"
    "environment.defaultPackages"
    "environment.etc"
    "environment.sessionVariables"
    "environment.shellAliases"
    "environment.stub-ld"
    "environment.systemPackages"
    "fileSystems"
    "fonts.fontconfig.enable"
    "hardware.cpu.amd.updateMicrocode"
    "hardware.cpu.intel.updateMicrocode"
    "hardware.enableAllHardware"
    "hardware.enableRedistributableFirmware"
    "hardware.firmware"
    "i18n.defaultLocale"
    "image.baseName"
    "image.modules"
    "isoImage"
    "networking.enableIPv6"
    "networking.firewall"
    "networking.hostName"
    "networking.nameservers"
    "networking.nftables.enable"
    "networking.timeServers"
    "networking.useDHCP"
    "networking.useNetworkd"
    "networking.usePredictableInterfaceNames"
    "networking.wireguard"
    "networking.wireless"
    "nix.channel"
    "nix.gc"
    "nix.package"
    "nix.settings"
    "nixpkgs.flake"
    "nixpkgs.hostPlatform"
    "programs.command-not-found.enable"
    "sdImage"
    "security.polkit"
    "security.sudo"
    "services.avahi"
    "services.journald"
    "services.k3s"
    "services.nats"
    "services.openssh"
    "services.resolved"
    "services.restic.backups"
    "services.soft-serve"
    "services.timesyncd"
    "services.udisks2.enable"
    "swapDevices"
    "system.activationScripts"
    "system.nixos.release"
    "system.nixos.variant_id"
    "system.stateVersion"
    "systemd.enableEmergencyMode"
    "systemd.network.networks"
    "systemd.network.wait-online"
    "systemd.package"
    "systemd.services"
    "systemd.settings"
    "systemd.timers"
    "systemd.tmpfiles.settings"
    "time.timeZone"
    "users.groups"
    "users.mutableUsers"
    "users.users"
    "virtualisation.cores"
    "virtualisation.diskSize"
    "virtualisation.forwardPorts"
    "virtualisation.graphics"
    "virtualisation.memorySize"
    "virtualisation.vmVariant"
    "warnings"
    "xdg.autostart.enable"
    "xdg.icons.enable"
    "xdg.mime.enable"
    "xdg.sounds.enable"
    "zramSwap.enable"
  ];
  # Not looked into: a whole NixOS, or values our layouts' tests check against disko itself.
  opaque = [
    "disko.devices"
    "virtualisation.vmVariant"
  ];

  # The file that declares it, below `nixpkgs` or `disko`.
  origin =
    option:
    let
      file = toString (lib.head option.declarations);
      below = root: lib.removePrefix "${toString root}/" file;
    in
    if lib.hasPrefix "${toString disko}/" file then "disko ${below disko}" else "nixpkgs ${below nixpkgs}";
  entry = option: type: [
    (lib.nameValuePair (lib.showOption option.loc) {
      inherit type;
      from = origin option;
    })
  ];

  list =
    option:
    let
      name = lib.showOption option.loc;
      inside =
        if lib.elem name opaque || lib.elem option.type.name [ "listOf" ] then { } else option.type.getSubOptions option.loc;
      below = lib.concatMap list (lib.collect lib.isOption (removeAttrs inside [ "_module" ]));
    in
    # Old names of renamed options are not names to use.
    if (option.visible or true) == false then
      [ ]
    else if (option.type.nestedTypes.elemType.name or "") == "deferredModule" then
      entry option "attrsOf deferredModule"
    else if below == [ ] then
      entry option option.type.name
    # A set with settings of its own shape beside declared ones (nix.settings) is written freely.
    else if option.type.name == "submodule" && (option.type.nestedTypes.freeformType or null) != null then
      entry option "attrs"
    else
      below;

  vm = plain.options.virtualisation.vmVariant.type.getSubOptions [ ];
  from =
    root:
    let
      path = lib.splitString "." root;
      found = lib.findFirst (tree: lib.hasAttrByPath path tree) null [
        plain.options
        iso.options
        card.options
        vm
      ];
      node = lib.getAttrFromPath path found;
    in
    if found == null then
      throw "neither nixpkgs nor disko has ${root}"
    else
      lib.concatMap list (lib.collect lib.isOption node);
in
lib.listToAttrs (lib.concatMap from roots)
