/** k3OS's configuration with canonical names: what `normalise` makes. */

export interface CloudConfig {
  readonly sshAuthorizedKeys?: readonly string[];
  readonly writeFiles?: readonly WriteFile[];
  readonly hostname?: string;
  readonly maculaos?: Maculaos;
  readonly runCmd?: readonly string[];
  readonly bootCmd?: readonly string[];
  readonly initCmd?: readonly string[];
}

export interface WriteFile {
  readonly encoding?: string;
  readonly content?: string;
  readonly owner?: string;
  readonly path?: string;
  readonly permissions?: string;
}

export interface Maculaos {
  readonly dataSources?: readonly string[];
  readonly modules?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly ntpServers?: readonly string[];
  readonly dnsNameservers?: readonly string[];
  readonly wifi?: readonly { readonly name?: string; readonly passphrase?: string }[];
  readonly password?: string;
  readonly serverUrl?: string;
  readonly token?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly k3sArgs?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly taints?: readonly string[];
  readonly install?: { readonly device?: string; readonly forceEfi?: boolean; readonly tty?: string };
  readonly mesh?: Mesh;
  readonly gitops?: {
    readonly enabled?: boolean;
    readonly server?: string;
    readonly port?: number;
    readonly dataPath?: string;
    readonly upstreamSync?: { readonly enabled?: boolean; readonly url?: string; readonly interval?: string };
  };
  readonly health?: { readonly checks?: readonly HealthCheck[] };
  readonly backup?: Backup;
}

export interface Mesh {
  readonly roles?: { readonly bootstrap?: boolean; readonly gateway?: boolean };
  readonly bootstrapPeers?: readonly string[];
  readonly realm?: string;
  readonly tlsMode?: string;
}

export interface HealthCheck {
  readonly name?: string;
  readonly type?: string;
  readonly process?: string;
  readonly url?: string;
  readonly path?: string;
  readonly timeout?: string;
  readonly threshold?: string;
  readonly action?: string;
}

export interface Backup {
  readonly enabled?: boolean;
  readonly schedule?: string;
  readonly retention?: number;
  readonly target?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly s3?: { readonly endpoint?: string; readonly bucket?: string; readonly prefix?: string };
}

/** The first-boot wizard's own file format. */
export interface WizardConfig {
  readonly realm?: string;
  readonly bootstrap_peers?: readonly string[];
  readonly node_id?: string | null;
  readonly network?: {
    readonly dhcp?: boolean;
    readonly ip_address?: string | null;
    readonly gateway?: string | null;
    readonly dns?: readonly string[];
  };
}
