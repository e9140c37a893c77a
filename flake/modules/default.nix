# Everything a MaculaOS machine is made of. Each module is about one thing and can be imported alone;
# all but `disk.nix` (which needs disko) work without the inventory.
{
  imports = [
    ./backup.nix
    ./base.nix
    ./boot.nix
    ./cache.nix
    ./consent.nix
    ./console.nix
    ./disk.nix
    ./files.nix
    ./firewall.nix
    ./firmware.nix
    ./firstboot.nix
    ./gc.nix
    ./health.nix
    ./hostname.nix
    ./k3s.nix
    ./macula.nix
    ./mdns.nix
    ./minimal.nix
    ./nats.nix
    ./networking.nix
    ./pull.nix
    ./secrets.nix
    ./seed.nix
    ./soft-serve.nix
    ./ssh.nix
    ./users.nix
    ../images/sd-card.nix
    ./vm.nix
    ./watchdog.nix
    ./wireguard.nix
  ];
}
