# k3s from the inventory's cluster: who starts it, who joins, which ports its members need of each other.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.k3s;
  server = cfg.role == "server";
  token = config.macula.secrets.k3s-token or null;
  agentToken = config.macula.secrets.k3s-agent-token or null;
  datastore = config.macula.secrets.k3s-datastore or null;
  mounts = import ../lib/mounts.nix { inherit lib; } (config.macula.disk.data or { });
  # Where there is a token for agents, k3s lets them in with no other.
  joinRef = if server || cfg.agentTokenRef == null then cfg.tokenRef else cfg.agentTokenRef;

  others = lib.filter (m: m.name != config.networking.hostName) cfg.members;
  addressesOf = members: map (m: m.address) members;
  sourcesFor =
    members: if cfg.allowedSources != null then cfg.allowedSources else addressesOf members;

  # By flannel backend: what must get through between nodes, and the interfaces pods come out of.
  backends = {
    vxlan = {
      udp = [ 8472 ];
      interfaces = [ "flannel.1" ];
    };
    wireguard-native = {
      udp = [
        51820
        51821
      ];
      interfaces = [
        "flannel-wg"
        "flannel-wg-v6"
      ];
    };
    host-gw = {
      udp = [ ];
      interfaces = [ ];
    };
    none = {
      udp = [ ];
      interfaces = [ ];
    };
  };
  backend = backends.${cfg.flannelBackend};

  rule = name: protocol: from: to: members: {
    inherit
      name
      protocol
      from
      to
      ;
    sources = sourcesFor members;
  };
  wanted =
    [ (rule "kubelet" "tcp" 10250 10250 others) ]
    ++ map (p: rule "flannel" "udp" p p others) backend.udp
    # Agents answer there too when nodes share images: it is how they find each other.
    ++ lib.optional (server || cfg.embeddedRegistry) (rule "k3s API" "tcp" 6443 6443 others)
    ++ lib.optional (server && cfg.datastore == "etcd") (
      rule "etcd" "tcp" 2379 2380 (lib.filter (m: m.role == "server") others)
    )
    ++ lib.optional cfg.embeddedRegistry (rule "embedded registry" "tcp" 5001 5001 others);
  rules = lib.filter (r: r.sources != [ ]) wanted;

  package =
    if cfg.minor == null then
      null
    else
      let
        name = "k3s_${lib.replaceStrings [ "." ] [ "_" ] cfg.minor}";
      in
      pkgs.${name}
        or (throw "k3s ${cfg.minor} is not in this nixpkgs; it has ${
          toString (lib.filter (n: builtins.match "k3s_1_[0-9]+" n != null) (lib.attrNames pkgs))
        }");

  # Labels that made k3OS's upgrade controller act on a node, or that the kubelet may not set itself.
  harmful =
    label:
    lib.elem label [
      "macula.io/mode"
      "macula.io/version"
      "macula.io/upgrade"
    ]
    || lib.hasPrefix "k3os.io/" label;
  refused = lib.filter (lib.hasPrefix "node-role.kubernetes.io/") (lib.attrNames cfg.labels);
in
{
  imports = [ ./k3s/options.nix ];

  config = lib.mkIf (cfg.role != "none") {
    assertions = [
      {
        assertion = cfg.role == "agent" -> cfg.serverAddr != null;
        message = "macula.k3s: an agent needs serverAddr.";
      }
      {
        assertion = cfg.serverAddr != null -> joinRef != null || cfg.environmentFile != null;
        message = "macula.k3s: ${cfg.nodeName} joins ${toString cfg.serverAddr} but its cluster has no tokenRef.";
      }
      {
        # Without one k3s would quietly start an empty cluster of its own, on SQLite.
        assertion = server && cfg.datastore == "external" -> cfg.environmentFile != null;
        message = "macula.k3s: ${cfg.nodeName}'s datastore is external but neither datastoreRef nor environmentFile says where.";
      }
      {
        assertion = refused == [ ];
        message = "macula.k3s.labels: the kubelet may not set ${toString refused}; label the node from the control plane instead.";
      }
    ];
    macula.secrets = lib.mkMerge [
      (lib.mkIf (joinRef != null) {
        k3s-token = {
          ref = joinRef;
          units = [ "k3s.service" ];
        };
      })
      (lib.mkIf (cfg.agentTokenRef != null && server) {
        k3s-agent-token = {
          ref = cfg.agentTokenRef;
          units = [ "k3s.service" ];
        };
      })
      (lib.mkIf (cfg.datastoreRef != null && server) {
        k3s-datastore = {
          entries.K3S_DATASTORE_ENDPOINT = cfg.datastoreRef;
          units = [ "k3s.service" ];
        };
      })
    ];
    macula.k3s.environmentFile = lib.mkIf (cfg.datastoreRef != null && server) (lib.mkDefault datastore.path);

    services.k3s = {
      enable = true;
      role = cfg.role;
      package = lib.mkIf (package != null) (lib.mkDefault package);
      clusterInit = server && cfg.initialises;
      serverAddr = lib.mkIf (cfg.serverAddr != null) cfg.serverAddr;
      # Never `token`: that would be the string itself, in the store.
      tokenFile = lib.mkIf (joinRef != null) token.path;
      agentTokenFile = lib.mkIf (cfg.agentTokenRef != null && server) agentToken.path;
      environmentFile = lib.mkIf (cfg.environmentFile != null) cfg.environmentFile;
      nodeName = lib.mkDefault cfg.nodeName;
      nodeIP = lib.mkIf (cfg.nodeIP != null) (lib.mkDefault cfg.nodeIP);
      nodeLabel = lib.mapAttrsToList (k: v: "${k}=${v}") (lib.filterAttrs (k: _: !(harmful k)) cfg.labels);
      nodeTaint = cfg.taints;
      disable = lib.mkIf server cfg.disable;
      gracefulNodeShutdown.enable = lib.mkDefault true;
      images = lib.mkIf cfg.airgap [ config.services.k3s.package.airgap-images ];
      extraFlags =
        lib.optionals server (
          [
            "--flannel-backend=${cfg.flannelBackend}"
            # wheel may administrate the cluster, other local users may not.
            "--write-kubeconfig-mode=0640"
            "--write-kubeconfig-group=wheel"
          ]
          ++ map (san: "--tls-san=${san}") cfg.tlsSans
          ++ lib.optional cfg.embeddedRegistry "--embedded-registry"
        )
        ++ cfg.extraFlags;
    };

    systemd.services.k3s.unitConfig.RequiresMountsFor = mounts "/var/lib/rancher/k3s";

    environment.etc."rancher/k3s/registries.yaml" = lib.mkIf (cfg.registries != null || cfg.embeddedRegistry) {
      source = (pkgs.formats.yaml { }).generate "registries.yaml" (
        if cfg.registries != null then cfg.registries else { mirrors."*" = { }; }
      );
    };

    # kubectl comes with the k3s package; a second one would differ in version.
    environment.systemPackages = lib.optional server pkgs.kubernetes-helm;
    environment.shellAliases.k = lib.mkDefault "kubectl";
    environment.sessionVariables.KUBECONFIG = lib.mkIf server (lib.mkDefault "/etc/rancher/k3s/k3s.yaml");

    # k3s loads br_netfilter and overlay and sets ip_forward itself; it does not raise the neighbour table.
    boot.kernel.sysctl = lib.mapAttrs (_: lib.mkOverride 990) {
      "net.ipv4.neigh.default.gc_thresh1" = 80000;
      "net.ipv4.neigh.default.gc_thresh2" = 90000;
      "net.ipv4.neigh.default.gc_thresh3" = 100000;
      "vm.overcommit_memory" = 1;
    };

    networking.firewall = {
      trustedInterfaces = [ "cni0" ] ++ backend.interfaces;
      checkReversePath = lib.mkDefault "loose";
    };
    macula.firewall.rules = rules;
  };
}
