/** Which secrets a machine needs and where: the paths are those of the flake's `macula.secrets`. Pure. */
import type { Host, Inventory, SecretRef } from "../../inventory/model.ts";

export interface WantedSecret {
  /** Absolute, on the new system; `installOnly`: in the installer's memory. */
  readonly path: string;
  readonly mode: number;
  /** One value, or `NAME=value` lines. */
  readonly from: SecretRef | Readonly<Record<string, SecretRef>>;
  /** Needed while installing and never afterwards: the passphrase of a disk. */
  readonly installOnly: boolean;
}

export const SECRETS_DIR = "/var/lib/macula-fleet/secrets";

export function wantedSecrets(host: Host, inventory: Pick<Inventory, "clusters">): readonly WantedSecret[] {
  const { cluster: clusterName, role } = host.k3s;
  const cluster = clusterName === undefined || role === "none" ? undefined : inventory.clusters[clusterName];
  return [
    ...(role === "server"
      ? [
          ...named("k3s-token", cluster?.tokenRef),
          ...named("k3s-agent-token", cluster?.agentTokenRef),
          ...named(
            "k3s-datastore",
            cluster?.datastoreRef && { K3S_DATASTORE_ENDPOINT: cluster.datastoreRef },
          ),
        ]
      : // Where there is a token for agents, k3s lets them in with no other.
        named("k3s-token", cluster?.agentTokenRef ?? cluster?.tokenRef)),
    ...Object.entries(host.users).flatMap(([user, u]) => named(`password-${user}`, u.passwordHashRef)),
    ...host.files.flatMap((f) =>
      f.ref === undefined
        ? []
        : [{ path: f.path, mode: Number.parseInt(f.mode ?? "0400", 8), from: f.ref, installOnly: false }],
    ),
    ...wifi(host),
    ...(host.backup.enable === true
      ? [
          ...named("backup-passphrase", host.backup.passwordRef),
          ...named("backup-environment", host.backup.environmentRef),
        ]
      : []),
    ...(isReference(host.disk.encryption)
      ? [{ path: "/tmp/disk.key", mode: 0o400, from: host.disk.encryption, installOnly: true }]
      : []),
  ];
}

function named(name: string, from: WantedSecret["from"] | undefined): WantedSecret[] {
  return from === undefined
    ? []
    : [{ path: `${SECRETS_DIR}/${name}`, mode: 0o400, from, installOnly: false }];
}

function wifi({ network }: Host): WantedSecret[] {
  const entries = network.wifi.map((net, i) => [`psk_${i}`, net.pskRef] as const);
  return entries.length === 0 ? [] : named("wifi", Object.fromEntries(entries));
}

const isReference = (text: string | undefined): text is SecretRef => text?.includes(":") === true;
