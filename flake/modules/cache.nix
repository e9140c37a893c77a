# The fleet's binary cache: where closures come from and whose signature makes them acceptable.
{ config, lib, ... }:
let
  cfg = config.macula.cache;
in
{
  options.macula.cache = {
    url = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "https://cache.example.org";
      description = "Substituter asked before the public one. null: none.";
    };
    publicKey = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "cache.example.org-1:3uQx0000000000000000000000000000000000000000=";
      description = "Public key of the cache (`nix-store --generate-binary-cache-key`).";
    };
    extraPublicKeys = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Further keys whose signatures are accepted: the operators' machines, or an old key while rotating.";
    };
  };

  config = {
    assertions = [
      {
        assertion = cfg.url == null || cfg.publicKey != null;
        message = "macula.cache.url is set without macula.cache.publicKey: nothing fetched from it would be accepted.";
      }
    ];
    nix.settings.substituters = lib.mkIf (cfg.url != null) (lib.mkBefore [ cfg.url ]);
    nix.settings.trusted-public-keys =
      lib.optional (cfg.publicKey != null) cfg.publicKey ++ cfg.extraPublicKeys;
    # A cache that is down must not stop a machine that can fetch elsewhere.
    nix.settings.connect-timeout = lib.mkDefault 5;
    nix.settings.fallback = lib.mkDefault false;
  };
}
