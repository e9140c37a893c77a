# Backups with restic, off the machine: what no inventory and no cache could bring back. (k3OS wrote tarballs to the
# same disk.)
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.macula.backup;
  k3s = config.macula.k3s;
  server = k3s.role == "server";
  db = "/var/lib/rancher/k3s/server/db";
  host = config.networking.hostName;

  # A copy of a database that is being written to is not a backup: have its owner write one.
  snapshot = ''
    #!${pkgs.runtimeShell}
    set -eu
    if [ -e ${db}/state.db ]; then
      mkdir -p ${db}/snapshots
      ${pkgs.sqlite}/bin/sqlite3 ${db}/state.db ".backup '${db}/snapshots/state.db'"
    elif [ -d ${db}/etcd ]; then
      ${config.services.k3s.package}/bin/k3s etcd-snapshot save --name backup
      ${config.services.k3s.package}/bin/k3s etcd-snapshot prune --name backup --snapshot-retention 2
    fi
  '';

  paths = [
    "/etc/ssh"
    "/var/lib/maculaos"
  ]
  ++ lib.optional config.macula.nats.enable "/var/lib/nats"
  ++ lib.optional config.macula.softServe.enable "/var/lib/private/soft-serve"
  ++ lib.optional (k3s.role != "none") "/var/lib/rancher/k3s/storage"
  ++ lib.optionals server [
    "/var/lib/rancher/k3s/server/cred"
    "/var/lib/rancher/k3s/server/tls"
    "/var/lib/rancher/k3s/server/token"
    "${db}/snapshots"
  ]
  ++ cfg.include;
in
{
  options.macula.backup = {
    enable = lib.mkEnableOption "backups of this machine's own data with restic";
    repository = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "s3:https://s3.example.org/backup/node-01";
      description = "Where to: a restic repository. Without a password in it: the store is readable by everybody.";
    };
    passwordRef = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "sops:secrets/backup.yaml#password";
      description = "Reference to the repository's password. Without it nobody reads the backups, you included: keep it elsewhere as well.";
    };
    environmentRef = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "Reference to a file of `NAME=value` lines with what the repository asks for, such as AWS_ACCESS_KEY_ID.";
    };
    schedule = lib.mkOption {
      type = lib.types.str;
      default = "daily";
      example = "*-*-* 03:00:00";
      description = "systemd calendar expression; each machine adds up to an hour of its own.";
    };
    retention = lib.mkOption {
      type = lib.types.ints.positive;
      default = 14;
      description = "Backups to keep.";
    };
    include = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "/srv" ];
      description = "Further paths. Always: /var/lib/maculaos, the SSH host keys, git and NATS data, and of k3s the volumes, on a server also certificates, tokens and a snapshot of the datastore.";
    };
    exclude = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Patterns to leave out.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.repository != null && cfg.passwordRef != null;
        message = "host ${host}: backup needs a repository and a passwordRef (inventory: backup.repository, backup.passwordRef), for instance repository: \"s3:https://s3.example.org/backup/${host}\".";
      }
    ];
    macula.secrets = {
      backup-passphrase = lib.mkIf (cfg.passwordRef != null) { ref = cfg.passwordRef; };
      backup-environment = lib.mkIf (cfg.environmentRef != null) { ref = cfg.environmentRef; };
    };
    services.restic.backups.macula = {
      repository = toString cfg.repository;
      passwordFile = "${config.macula.secretsDir}/backup-passphrase";
      environmentFile = lib.mkIf (
        cfg.environmentRef != null
      ) config.macula.secrets.backup-environment.path;
      initialize = lib.mkDefault true;
      # Only what is there: restic counts a missing path as a failed backup.
      dynamicFilesFrom = ''
        #!${pkgs.runtimeShell}
        for path in ${lib.escapeShellArgs paths}; do
          if [ -e "$path" ]; then printf '%s\n' "$path"; fi
        done
      '';
      inherit (cfg) exclude;
      backupPrepareCommand = lib.mkIf server snapshot;
      pruneOpts = lib.mkDefault [ "--keep-last ${toString cfg.retention}" ];
      timerConfig = {
        OnCalendar = cfg.schedule;
        RandomizedDelaySec = lib.mkDefault "1h";
        Persistent = lib.mkDefault true;
      };
    };
    # A repository that is away makes no machine sick: rollouts go on. `systemctl --failed` shows it.
    macula.health.checks.units.arguments = [ "restic-backups-macula.service" ];
  };
}
