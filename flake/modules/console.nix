# The Macula Console: a manifest that the first server of a cluster deploys, and no other.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.macula.console;
  labels."app.kubernetes.io/name" = "macula-console";
  metadata = {
    name = "macula-console";
    namespace = "macula";
    inherit labels;
  };
in
{
  options.services.macula.console = {
    image = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching ".+[:@].+");
      default = null;
      example = "registry.example/macula-console:1.4.0";
      description = "Container image with tag or digest. null: no Console. A tag that moves would make two clusters of one revision differ.";
    };
    port = lib.mkOption {
      type = lib.types.port;
      default = 4000;
      description = "Port the Console listens on in its pod.";
    };
    replicas = lib.mkOption {
      type = lib.types.ints.positive;
      default = 1;
      description = "Pods.";
    };
  };

  config = lib.mkIf (cfg.image != null && config.macula.k3s.isFirstServer) {
    services.k3s.manifests.macula-console.content = [
      {
        apiVersion = "v1";
        kind = "Namespace";
        metadata.name = "macula";
      }
      {
        apiVersion = "apps/v1";
        kind = "Deployment";
        inherit metadata;
        spec = {
          inherit (cfg) replicas;
          selector.matchLabels = labels;
          template = {
            metadata = { inherit labels; };
            spec.containers = [
              {
                name = "console";
                inherit (cfg) image;
                ports = [ { containerPort = cfg.port; } ];
                env = [
                  {
                    name = "MACULA_REALM";
                    value = config.services.macula.realm;
                  }
                ];
              }
            ];
          };
        };
      }
      {
        apiVersion = "v1";
        kind = "Service";
        inherit metadata;
        spec = {
          selector = labels;
          ports = [
            {
              port = 80;
              targetPort = cfg.port;
            }
          ];
        };
      }
    ];
  };
}
