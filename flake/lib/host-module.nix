# One host of the inventory as a NixOS module: the only place that knows both vocabularies.
{ lib }:
let
  inventory = import ./inventory.nix { inherit lib; };
  set = value: lib.mkIf (value != null) (lib.mkDefault value);
  # The inventory says these in the words of the module: a word it does not have is an error there.
  defaults = lib.mapAttrs (_: set);
in
fleet: operatorKeys: host:
let
  cluster = inventory.clusterOf fleet host;
  site = if host.site == null then { } else fleet.sites.${host.site} or { };
  chosen = service: defaults (host.services.${service} or { });
  boot = host.hardware.boot;
  wifi = host.network.wifi != [ ];

  # The login user exists even when the inventory names only its keys elsewhere.
  users = {
    ${host.user} = { };
  }
  // host.users;

  # `luks`, or a reference to the passphrase, which means the same and says where it is.
  encryption = if host.disk.encryption == null then "none" else host.disk.encryption;
  encryptionRef = if lib.hasInfix ":" encryption then encryption else null;

  plainFiles = lib.filter (f: (f.ref or null) == null) host.files;
  secretFiles = lib.filter (f: (f.ref or null) != null) host.files;

  firmware =
    if host.hardware.firmware == true then
      "full"
    else if host.hardware.firmware == false then
      "none"
    else if boot == "rpi" then
      "rpi"
    else if wifi then
      "full"
    else
      "nic";
in
{
  _file = "inventory: hosts.${host.name}";

  config = lib.mkMerge [
    {
      networking.hostName = lib.mkDefault host.name;
      nixpkgs.hostPlatform = lib.mkDefault host.arch;
      # The release this machine was first installed with, not the one it runs. A machine that does not say stays at
      # the oldest one this flake ever installed: that is always safe, and does not move with the fleet's release.
      system.stateVersion = lib.mkDefault (if host.stateVersion != null then host.stateVersion else "26.05");
      time.timeZone = lib.mkIf (site ? timezone) (lib.mkOverride 900 site.timezone);

      macula = {
        boot = {
          loader = lib.mkDefault boot;
          kernel = set host.hardware.kernel;
          consoles = host.hardware.consoles;
          modules = host.kernel.modules;
          sysctls = lib.mapAttrs (_: toString) host.kernel.sysctls;
        };
        firmware.kind = lib.mkDefault firmware;
        disk = {
          device = lib.mkDefault host.disk.device;
          layout = lib.mkDefault host.disk.layout;
          espSize = lib.mkDefault host.disk.espSize;
          swap = set host.disk.swap;
          encryption = lib.mkDefault (if encryptionRef != null then "luks" else encryption);
          keep = host.disk.keep;
          # The serial is for the installer, which looks at the disk before it is formatted.
          data = lib.mapAttrs (_: disk: removeAttrs disk [ "serial" ]) host.disk.data;
        };
        network = {
          dhcp = lib.mkDefault host.network.dhcp;
          static = set host.network.static;
          inherit (host.network) dns ntp wifi;
        };
        users = lib.mapAttrs (name: user: {
          keys = (user.keys or [ ]) ++ lib.optionals (name == host.user) operatorKeys;
          passwordHashFile = lib.mkIf ((user.passwordHashRef or null) != null) (
            lib.mkDefault "/var/lib/macula-fleet/secrets/password-${name}"
          );
        }) users;
        cache = lib.mkIf (fleet.cache != null) {
          url = lib.mkDefault fleet.cache.url;
          publicKey = lib.mkDefault fleet.cache.publicKey;
        };
        pull.enable = lib.mkDefault ((host.connect or "ssh") == "pull");
        files = lib.listToAttrs (
          map (
            f:
            lib.nameValuePair f.path {
              content = f.content or "";
              mode = f.mode or "0644";
            }
          ) plainFiles
        );
        secrets =
          lib.listToAttrs (
            map (
              f:
              lib.nameValuePair "file-${lib.replaceStrings [ "/" ] [ "-" ] (lib.removePrefix "/" f.path)}" {
                inherit (f) path ref;
                mode = f.mode or "0400";
              }
            ) secretFiles
          )
          // lib.mapAttrs' (
            name: user: lib.nameValuePair "password-${name}" { ref = user.passwordHashRef; }
          ) (lib.filterAttrs (_: user: (user.passwordHashRef or null) != null) users)
          // lib.optionalAttrs (encryptionRef != null) {
            disk-key = {
              ref = encryptionRef;
              path = "/tmp/disk.key";
              installOnly = true;
            };
          };
        mdns.id = set host.identity.did;
        seed.enable = lib.mkDefault ((site.seed or null) == host.name);
        nats = chosen "nats";
        softServe = chosen "softServe";
        backup = defaults host.backup;
      };

      services.macula = {
        enable = lib.mkDefault true;
        roles.bootstrap = lib.mkDefault (lib.elem "bootstrap" host.roles);
        roles.gateway = lib.mkDefault (lib.elem "gateway" host.roles);
        realm = lib.mkDefault fleet.fleet.realm;
        bootstrapPeers = lib.mkDefault (inventory.bootstrapPeers fleet host);
        tlsMode = lib.mkDefault host.mesh.tlsMode;
        console = chosen "console";
      };
    }
    (lib.mkIf (cluster != null) {
      macula.k3s = {
        role = lib.mkDefault host.k3s.role;
        nodeName = set host.k3s.nodeName;
        # A machine with a fixed address is reached there even when it has other cards.
        nodeIP = lib.mkIf (host.network.static != null && inventory.isIP host.address) (
          lib.mkDefault host.address
        );
        initialises = lib.mkDefault cluster.initialises;
        isFirstServer = lib.mkDefault cluster.isFirst;
        datastore = lib.mkDefault cluster.datastore;
        serverAddr = set cluster.serverAddr;
        tokenRef = set cluster.tokenRef;
        agentTokenRef = set cluster.agentTokenRef;
        datastoreRef = set cluster.datastoreRef;
        flannelBackend = lib.mkDefault cluster.flannelBackend;
        inherit (cluster) members;
        labels = {
          "macula.io/roles" = lib.mkDefault (lib.concatStringsSep "." host.roles);
        }
        // lib.mapAttrs (_: toString) host.k3s.labels;
        taints = host.k3s.taints;
        tlsSans = [ host.address ];
        minor = set host.k3s.packageMinor;
        extraFlags = host.k3s.extraArgs;
      };
    })
  ];
}
