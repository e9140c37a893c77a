# What may be said of a machine's part in a k3s cluster.
{ config, lib, ... }:
{
  options.macula.k3s = {
    role = lib.mkOption {
      type = lib.types.enum [
        "server"
        "agent"
        "none"
      ];
      default = "none";
      description = "Control plane, worker, or no k3s at all.";
    };
    nodeName = lib.mkOption {
      type = lib.types.str;
      default = config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "Name in the cluster; must be unique there.";
    };
    nodeIP = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "Address other nodes reach this one at. null: that of the default route.";
    };
    initialises = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "First server of an etcd cluster.";
    };
    isFirstServer = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "The one server that deploys what the cluster needs once (the Console).";
    };
    datastore = lib.mkOption {
      type = lib.types.enum [
        "sqlite"
        "etcd"
        "external"
      ];
      default = "sqlite";
      description = "Where the cluster keeps its state: on its one server, in etcd on several, or outside.";
    };
    datastoreRef = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "Reference to the endpoint of an external datastore (`postgres://…`).";
    };
    serverAddr = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "https://10.0.0.10:6443";
      description = "Server to join. null: this machine starts a cluster.";
    };
    tokenRef = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "Reference to the cluster token. It joins machines and decrypts the datastore: back it up.";
    };
    agentTokenRef = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "Reference to a token with which agents, but not servers, may join. Agents get this one, and never `tokenRef`.";
    };
    environmentFile = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      defaultText = lib.literalExpression "on servers with datastoreRef, the secret k3s-datastore";
      description = "File on the machine with K3S_… variables, such as K3S_DATASTORE_ENDPOINT.";
    };
    flannelBackend = lib.mkOption {
      type = lib.types.enum [
        "vxlan"
        "wireguard-native"
        "host-gw"
        "none"
      ];
      default = "vxlan";
      description = "How pods of different nodes reach each other.";
    };
    members = lib.mkOption {
      type = lib.types.listOf (lib.types.attrsOf lib.types.str);
      default = [ ];
      description = "All nodes of the cluster: name, address, role. They may reach this node's cluster ports.";
    };
    allowedSources = lib.mkOption {
      type = lib.types.nullOr (lib.types.listOf lib.types.str);
      default = null;
      example = [ "10.40.0.0/16" ];
      description = "Who may reach the cluster's ports, instead of its members only.";
    };
    labels = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      default = { };
      description = "Node labels.";
    };
    taints = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "dedicated=gateway:NoSchedule" ];
      description = "Node taints.";
    };
    disable = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [
        "traefik"
        "servicelb"
      ];
      description = "Packaged components not to deploy. Ports 80 and 443 belong to Macula's gateway.";
    };
    tlsSans = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Further names in the API server's certificate.";
    };
    minor = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "1.35";
      description = "Stay on this minor version. null: what nixpkgs calls `k3s`.";
    };
    airgap = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Carry k3s's own images in the closure (some 200 MB): starts without any registry.";
    };
    embeddedRegistry = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Nodes share pulled images with each other (k3s's Spegel).";
    };
    registries = lib.mkOption {
      type = lib.types.nullOr (lib.types.attrsOf lib.types.anything);
      default = null;
      example = {
        mirrors."docker.io".endpoint = [ "https://registry.local" ];
      };
      description = "/etc/rancher/k3s/registries.yaml. Without passwords: the store is readable by everybody.";
    };
    extraFlags = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Further flags.";
    };
  };
}
