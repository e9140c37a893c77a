/** One hop with nothing left to look up: what connecting needs and no more. */
export interface ResolvedHop {
  /** For messages: `root@10.0.0.3:22`, or `bastion ops@jump.example:22`. */
  readonly label: string;
  readonly role: "host" | "bastion";
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeys: readonly string[];
  /** The name to look up in known_hosts. */
  readonly keyName: string;
  /** Absolute paths somebody named; empty: the agent and the usual files. */
  readonly identityFiles: readonly string[];
}

/** A target after ssh_config: every hop on the way, outermost bastion first, the host itself last. */
export interface ResolvedTarget {
  readonly name: string;
  readonly bastions: readonly ResolvedHop[];
  readonly host: ResolvedHop;
  /** Read in this order; the first one is where `accept-new` records keys. */
  readonly knownHostsFiles: readonly [string, ...string[]];
  readonly hostKeyPolicy: "strict" | "accept-new";
  readonly connectTimeoutMs: number;
}

/** `user@address:port`, with brackets around IPv6. */
export function hopLabel(hop: {
  readonly user: string;
  readonly address: string;
  readonly port: number;
}): string {
  const address = hop.address.includes(":") ? `[${hop.address}]` : hop.address;
  return `${hop.user}@${address}:${hop.port}`;
}
