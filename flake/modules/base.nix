# What every machine has: a clock, a few tools, Nix with flakes. Every value yields to yours.
{ lib, pkgs, ... }:
{
  config = {
    time.timeZone = lib.mkDefault "UTC";
    i18n.defaultLocale = lib.mkDefault "C.UTF-8";

    # Time servers come from the inventory (networking.nix). A board without a battery clock starts from the
    # last known time, which timesyncd keeps on disk, so that TLS works before the first answer.
    services.timesyncd.enable = lib.mkDefault true;

    environment.systemPackages = [
      pkgs.vim
      pkgs.htop
      pkgs.curl
      pkgs.jq
      pkgs.gitMinimal
    ];

    nix.settings = {
      experimental-features = [
        "nix-command"
        "flakes"
      ];
      # Closures arrive signed; nobody but root may bypass that.
      trusted-users = [ "root" ];
      require-sigs = lib.mkDefault true;
      # A full disk is the commonest reason for a failed rollout: free some during builds and copies.
      min-free = lib.mkDefault (512 * 1024 * 1024);
      max-free = lib.mkDefault (2 * 1024 * 1024 * 1024);
    };

    boot.tmp.cleanOnBoot = lib.mkDefault true;
    services.journald.extraConfig = lib.mkDefault "SystemMaxUse=200M";

    # What k3OS nodes had and NixOS does not set as high. 990: nixpkgs sets some of these by mkDefault itself, in some
    # releases; two equal defaults would be an error.
    boot.kernel.sysctl = lib.mapAttrs (_: lib.mkOverride 990) {
      "net.core.somaxconn" = 4096;
      "fs.aio-max-nr" = 1048576;
      "kernel.dmesg_restrict" = 1;
      "kernel.unprivileged_bpf_disabled" = 1;
    };
  };
}
