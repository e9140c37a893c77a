# Packages that are only names: enough to see which ones a machine asks for.
lib: system:
let
  package = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
    version = "1.0";
    airgap-images = package "${name}-airgap-images";
    outputs = [ "out" ];
  };
  names = [
    "btrfs-progs"
    "coreutils"
    "cryptsetup"
    "curl"
    "dosfstools"
    "e2fsprogs"
    "findutils"
    "gawk"
    "getent"
    "gitMinimal"
    "gnugrep"
    "gnused"
    "gptfdisk"
    "hostname"
    "htop"
    "iproute2"
    "iptables"
    "jq"
    "k3s"
    "k3s_1_35"
    "kubernetes-helm"
    "linux-firmware"
    "linuxPackages"
    "linuxPackages_6_12"
    "linuxPackages_latest"
    "nix"
    "nixos-install-tools"
    "parted"
    "pciutils"
    "raspberrypiWirelessFirmware"
    "rsync"
    "sqlite"
    "systemd"
    "util-linux"
    "vim"
  ];
in
lib.genAttrs names package
// {
  stdenv.hostPlatform = {
    inherit system;
    isx86_64 = system == "x86_64-linux";
  };
  runtimeShell = "/bin/sh";
  runCommand =
    name: _: _:
    package name;
  writeText = name: text: "/nix/store/00000000000000000000000000000000-${name}-${builtins.hashString "sha256" text}";
  writeShellApplication = { name, ... }: package name;
  formats.yaml = _: {
    # Keeps what was written, so that a test can read it back.
    generate = name: value: package name // { generated = builtins.toJSON value; };
  };
}
