# The resolved inventory (JSON written by macula-fleet) and what follows from it: cluster members, who
# initialises a cluster, whom a host bootstraps from. Pure: takes JSON, needs nothing of nixpkgs but `lib`.
{ lib }:
let
  inherit (builtins)
    elem
    filter
    head
    isAttrs
    isList
    match
    pathExists
    readFile
    ;

  fail = message: throw "macula inventory: ${message}";

  # Version of the resolved form (`version` in the JSON).
  formatVersion = 1;

  # `inventory` is a file, a directory holding `fleet.json`, the data itself, or a list of such places.
  load =
    inventory:
    if isAttrs inventory && !(inventory ? outPath) then
      normalise inventory
    else
      let
        files = lib.concatMap filesAt (if isList inventory then inventory else [ inventory ]);
        found = filter pathExists files;
      in
      if found == [ ] then
        fail "there is no fleet.json. macula-fleet passes it by itself; for bare Nix: macula-fleet inventory resolve > inventory/fleet.json"
      else
        normalise (builtins.fromJSON (readFile (head found)));

  filesAt =
    place:
    let
      path = place.outPath or place;
    in
    if lib.hasSuffix ".json" (toString path) then
      [ path ]
    else
      [
        (path + "/fleet.json")
        # A flake that stands in for the input has it in a folder.
        (path + "/inventory/fleet.json")
      ];

  # Hosts may come as a list (keeps inventory order) or by name (then: alphabetical).
  normalise =
    data:
    let
      list =
        if isList (data.hosts or null) then
          data.hosts
        else if isAttrs (data.hosts or null) then
          lib.mapAttrsToList (name: host: { inherit name; } // host) data.hosts
        else
          fail "`hosts` is missing; is this the resolved inventory, not the YAML?";
    in
    if (data.version or formatVersion) != formatVersion then
      fail "format ${toString data.version}; this flake reads ${toString formatVersion}. Use the macula-fleet that belongs to this flake, or update the flake."
    else if !(data ? fleet) then
      fail "`fleet` is missing"
    else
      {
        inherit (data) fleet;
        cache = data.cache or null;
        clusters = data.clusters or { };
        sites = data.sites or { };
        order = map (host: host.name) list;
        hosts = lib.listToAttrs (map (host: lib.nameValuePair host.name (checkHost (defaults host))) list);
      };

  # Every default the resolver fills in, so that a hand-written file may be short.
  defaults =
    host:
    {
      site = null;
      groups = [ ];
      arch = "x86_64-linux";
      os = "nixos";
      state = "active";
      channel = "stable";
      user = "macula";
      users = { };
      files = [ ];
      services = { };
      backup = { };
      tags = [ ];
      labels = { };
      stateVersion = null;
      address = host.name;
    }
    // host
    // {
      roles = host.roles or [ (host.role or "peer") ];
      hardware = {
        boot = "uefi";
        board = null;
        firmware = null;
        kernel = null;
        consoles = [ ];
      }
      // (host.hardware or { });
      disk = {
        device = if (host.hardware.boot or "") == "rpi" then "image" else "facts";
        layout = "single-ext4";
        espSize = "1GiB";
        swap = null;
        encryption = null;
        keep = [ ];
        data = { };
      }
      // (host.disk or { });
      network = {
        dhcp = !((host.network.static or null) != null);
        static = null;
        dns = [ ];
        ntp = [ ];
        wifi = [ ];
      }
      // (host.network or { });
      k3s = {
        role = "none";
        cluster = null;
        clusterInit = false;
        labels = { };
        taints = [ ];
        extraArgs = [ ];
        nodeName = null;
        packageMinor = null;
      }
      // (host.k3s or { });
      mesh = {
        bootstrapPeers = [ ];
        tlsMode = "development";
        publicAddress = null;
      }
      // (host.mesh or { });
      kernel = {
        modules = [ ];
        sysctls = { };
      }
      // (host.kernel or { });
      identity = {
        hostKeys = [ ];
        did = null;
      }
      // (host.identity or { });
    };

  # The TypeScript side says all of this better and earlier; here only what would build a wrong machine.
  checkHost =
    host:
    let
      at = "hosts.${host.name}";
    in
    if match "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?" host.name == null then
      fail "${at}: not a host name (RFC 1123 label, lower case)"
    else if host.hardware.boot == "rpi" && host.arch != "aarch64-linux" then
      fail "${at}: hardware.boot rpi needs arch aarch64-linux, not ${host.arch}"
    else if !(elem host.hardware.boot [ "uefi" "bios" "rpi" ]) then
      fail "${at}: hardware.boot is uefi, bios or rpi, not ${host.hardware.boot}"
    else if host.hardware.boot == "bios" && host.arch != "x86_64-linux" then
      fail "${at}: hardware.boot bios needs arch x86_64-linux, not ${host.arch}"
    else if host.network.static != null && (host.network.dhcp or false) then
      fail "${at}: network has both dhcp and static; choose one"
    else
      host;

  hostList = fleet: map (name: fleet.hosts.${name}) fleet.order;

  isIPv4 = address: match "[0-9]{1,3}(\\.[0-9]{1,3}){3}" address != null;
  isIPv6 = address: match "[0-9a-fA-F:]+(%[0-9a-zA-Z]+)?" address != null && lib.hasInfix ":" address;
  isIP = address: isIPv4 address || isIPv6 address;
  bracket = address: if isIPv6 address then "[${address}]" else address;

  # `https://boot1.example:443` from a public address with or without port or scheme.
  peerUrl =
    address:
    if lib.hasInfix "://" address then
      address
    else if isIPv6 address then
      "https://[${address}]:443"
    else if match ".*:[0-9]+" address != null then
      "https://${address}"
    else
      "https://${address}:443";

  holds = role: host: elem role host.roles;
  present = host: host.state != "retired";

  # Stated peers win. Otherwise every other bootstrap host: by its public address, or by its own address
  # when both are in one site and can reach each other directly.
  bootstrapPeers =
    fleet: host:
    if host.mesh.bootstrapPeers != [ ] then
      map peerUrl host.mesh.bootstrapPeers
    else
      let
        reachable =
          other: other.mesh.publicAddress != null || (other.site == host.site && other.address != "");
        others = filter (
          other: other.name != host.name && present other && holds "bootstrap" other && reachable other
        ) (hostList fleet);
      in
      map (
        other: peerUrl (if other.mesh.publicAddress != null then other.mesh.publicAddress else other.address)
      ) others;

  inCluster = name: host: host.k3s.role != "none" && host.k3s.cluster == name;

  # What a host needs to know of its k3s cluster. null: no k3s.
  clusterOf =
    fleet: host:
    let
      name = host.k3s.cluster;
      stated =
        fleet.clusters.${name} or (fail "hosts.${host.name}.k3s.cluster: no cluster \"${toString name}\"");
      cluster = {
        tokenRef = null;
        agentTokenRef = null;
        datastoreRef = null;
        datastore = "sqlite";
        flannelBackend = "vxlan";
        serverAddr = null;
        external = false;
        perHost = false;
      }
      // stated;
      members =
        if cluster.perHost then [ host ] else filter (h: present h && inCluster name h) (hostList fleet);
      servers = filter (h: h.k3s.role == "server") members;
      stating = filter (h: h.k3s.clusterInit) servers;
      first =
        if stating != [ ] then
          head stating
        else if servers != [ ] then
          head servers
        else
          null;
      isFirst = first != null && first.name == host.name;
      joinAddress =
        if cluster.serverAddr != null then
          cluster.serverAddr
        else if first != null then
          "https://${bracket first.address}:6443"
        else
          fail "cluster ${name} has agents (${host.name}) but no server and no serverAddr";
    in
    if host.k3s.role == "none" then
      null
    else if name == null then
      fail "hosts.${host.name}.k3s: role ${host.k3s.role} needs a cluster"
    else if lib.length stating > 1 then
      fail "cluster ${name}: clusterInit on ${lib.concatMapStringsSep ", " (h: h.name) stating}; only one host starts a cluster"
    else if cluster.datastore == "sqlite" && lib.length servers > 1 then
      fail "cluster ${name}: ${toString (lib.length servers)} servers need datastore etcd or external (sqlite takes one)"
    else
      cluster
      // {
        inherit name isFirst;
        firstServer = if first == null then null else first.name;
        members = map (h: {
          inherit (h) name address;
          inherit (h.k3s) role;
        }) members;
        initialises = isFirst && cluster.datastore == "etcd" && !cluster.external;
        # The first server joins nobody; with an external datastore no server does.
        serverAddr =
          if host.k3s.role == "server" && ((isFirst && !cluster.external) || cluster.datastore == "external") then
            null
          else
            joinAddress;
      };
in
{
  inherit
    load
    hostList
    bootstrapPeers
    clusterOf
    peerUrl
    isIP
    isIPv4
    isIPv6
    ;
}
