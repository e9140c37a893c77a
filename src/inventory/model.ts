/**
 * The resolved inventory: what every other part of the product reads. Pure data, no defaults left to apply.
 * Schema and defaults: `schema.ts`; merging: `resolve.ts`.
 */
import type { MaintenanceWindow, Policy } from "../plan/policy.ts";
import type { Role } from "./role.ts";

export type HostName = string;
export { ROLES, type Role } from "./role.ts";

export type Arch = "x86_64-linux" | "aarch64-linux";

/** `sops:FILE#path`, `file:PATH`, `env:NAME`, `cmd:COMMAND`: where a secret lives, never the secret. */
export type SecretRef = string;

/** Where a statement of the inventory was made. Lines and columns are 1-based. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly col: number;
}

export interface Bastion {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey?: string;
  readonly identityFile?: string;
  /** Next hop outward, by name. */
  readonly bastion?: string;
}

export interface SshSettings {
  readonly connectTimeoutMs: number;
  readonly identityFile?: string;
  readonly knownHostsFile?: string;
  readonly configFile?: string;
  readonly hostKeyPolicy: "strict" | "accept-new";
  /** How commands become root on the host when `user` is not root. */
  readonly elevate: "auto" | "none" | "sudo" | "doas";
}

export interface Host {
  readonly name: HostName;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Name of the innermost bastion, or null for a direct connection. */
  readonly bastion: string | null;
  readonly connect: "ssh" | "pull";
  readonly site: string | null;
  readonly groups: readonly string[];
  /** Every role it holds; `peer` is always implied and listed only when it is the only one. */
  readonly roles: readonly Role[];
  /** The role that orders and guards it: bootstrap before gateway before peer. */
  readonly role: Role;
  readonly arch: Arch;
  readonly os: "nixos" | "k3os" | "installer";
  readonly state: "active" | "planned" | "maintenance" | "retired";
  readonly channel: "stable" | "experimental";
  readonly convert: boolean;
  readonly hardware: {
    readonly boot: "uefi" | "bios" | "rpi";
    readonly board?: string;
    readonly firmware?: boolean;
    readonly kernel?: string;
    readonly consoles: readonly string[];
  };
  readonly disk: {
    /** Absolute path, or `facts`, `auto`, `image`. */
    readonly device: string;
    readonly layout: string;
    readonly espSize: string;
    readonly swap?: string;
    readonly encryption?: string;
    readonly serial?: string;
    readonly keep: readonly string[];
    /** Further disks; `main` is the system's own. */
    readonly data: Readonly<Record<string, DataDiskConfig>>;
  };
  readonly network: {
    readonly dhcp: boolean;
    readonly static?: {
      readonly mac: string;
      readonly address: string;
      readonly gateway: string;
      readonly dns: readonly string[];
    };
    readonly dns: readonly string[];
    readonly ntp: readonly string[];
    readonly wifi: readonly { readonly ssid: string; readonly pskRef: SecretRef }[];
  };
  readonly k3s: {
    readonly cluster?: string;
    readonly role: "server" | "agent" | "none";
    readonly clusterInit: boolean;
    readonly labels: Readonly<Record<string, string>>;
    readonly taints: readonly string[];
    readonly extraArgs: readonly string[];
    readonly nodeName?: string;
    readonly packageMinor?: string;
  };
  readonly mesh: {
    readonly bootstrapPeers: readonly string[];
    readonly tlsMode: "development" | "production";
    readonly publicAddress?: string;
  };
  readonly identity: {
    readonly mac?: string;
    readonly machineId?: string;
    readonly serial?: string;
    /** OpenSSH public keys this host must present. */
    readonly hostKeys: readonly string[];
    readonly did?: string;
  };
  readonly users: Readonly<
    Record<string, { readonly keys: readonly string[]; readonly passwordHashRef?: SecretRef }>
  >;
  readonly kernel: {
    readonly modules: readonly string[];
    readonly sysctls: Readonly<Record<string, string>>;
  };
  readonly files: readonly {
    readonly path: string;
    readonly mode?: string;
    readonly content?: string;
    readonly ref?: SecretRef;
  }[];
  readonly services: {
    readonly console?: { readonly image?: string; readonly port?: number; readonly replicas?: number };
    readonly softServe?: {
      readonly enable?: boolean;
      readonly port?: number;
      readonly publicUrl?: string;
      readonly openFirewall?: boolean;
    };
    readonly nats?: {
      readonly enable?: boolean;
      readonly port?: number;
      readonly listen?: string;
      readonly jetstream?: boolean;
    };
  };
  readonly backup: {
    readonly enable?: boolean;
    readonly repository?: string;
    readonly passwordRef?: SecretRef;
    readonly environmentRef?: SecretRef;
    readonly schedule?: string;
    readonly retention?: number;
    readonly include?: readonly string[];
    readonly exclude?: readonly string[];
  };
  readonly tags: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly rollout: { readonly canary?: "always" | "never"; readonly order: number };
  readonly build: { readonly on: "local" | "remote" };
  readonly ssh: SshSettings;
  /** Checks of this host in addition to the fleet's, see `checks`. */
  readonly checks: readonly CheckConfig[];
  readonly stateVersion?: string;
  readonly note?: string;
  readonly source: SourcePosition;
}

export interface DataDiskConfig {
  /** `/dev/disk/by-id/…` */
  readonly device: string;
  readonly mountpoint: string;
  readonly fsType: "ext4" | "xfs";
  /** Everything on it is lost at an installation; else it must be blank or as a former installation left it. */
  readonly erase: boolean;
  readonly serial?: string;
}

/** One health check; `type` selects the kind (`src/health/kinds`), the rest is that kind's own configuration. */
export interface CheckConfig {
  readonly name: string;
  readonly type: string;
  readonly [option: string]: unknown;
}

export interface Site {
  readonly name: string;
  readonly timezone: string;
  /** Maintenance windows in the site's local time (`window: "Tue 02:00-05:00"`); empty: the fleet's, or always. */
  readonly windows: readonly MaintenanceWindow[];
  readonly location?: string;
  readonly uplink: {
    readonly mbps?: number;
    readonly monthlyGB?: number;
    /** Copies at once; default: the policy's `perSite.copying`. */
    readonly concurrentCopies?: number;
    readonly metered: boolean;
  };
  readonly seed?: HostName;
}

export interface Cluster {
  readonly name: string;
  readonly tokenRef?: SecretRef;
  readonly agentTokenRef?: SecretRef;
  /** How servers reach an `external` datastore, its password included: k3s's datastore endpoint. */
  readonly datastoreRef?: SecretRef;
  readonly datastore: "sqlite" | "etcd" | "external";
  readonly flannelBackend: string;
  readonly serverAddr?: string;
  readonly external: boolean;
  readonly perHost: boolean;
}

export interface Fleet {
  readonly name: string;
  readonly realm: string;
  readonly flake: string;
  readonly release: string;
}

export interface Inventory {
  readonly fleet: Fleet;
  readonly hosts: readonly Host[];
  readonly bastions: Readonly<Record<string, Bastion>>;
  readonly sites: Readonly<Record<string, Site>>;
  readonly clusters: Readonly<Record<string, Cluster>>;
  /** Group name -> hosts, in inventory order, children included. */
  readonly groups: Readonly<Record<string, readonly HostName[]>>;
  readonly cache?: { readonly url: string; readonly publicKey: string };
  /** The fleet's rollout policy with every default filled in. */
  readonly policy: Policy;
  readonly checks: readonly CheckConfig[];
  /** Present when this fleet is a lab: the product then says so on every screen. */
  readonly lab?: { readonly backend: "sim" | "docker"; readonly dir: string };
  /** Files it was read from, in order, absolute. */
  readonly files: readonly string[];
  /** Directory that relative paths in the inventory refer to. */
  readonly baseDir: string;
}

/** One thing that is wrong (or odd) with an input. All of them are reported together. */
export interface Problem {
  readonly code: string;
  readonly severity: "error" | "warning" | "info";
  /** `hosts.node-03.disk.device` */
  readonly path: string;
  readonly message: string;
  readonly fix?: string;
  readonly at?: SourcePosition;
}
