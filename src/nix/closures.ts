import type { Host, HostName } from "../inventory/model.ts";

/** A built system: what a host is to run. */
export interface Closure {
  /** `/nix/store/…-nixos-system-…` */
  readonly toplevel: string;
  /** Bytes of the whole closure, NAR size; 0 when unknown. */
  readonly size: number;
  /** `26.05.20261118`; empty when unknown. */
  readonly version: string;
}

export interface StorePathInfo {
  readonly path: string;
  /** Bytes, NAR size. */
  readonly size: number;
  /** Of its content, as `nix-store --query --hash` prints it: `sha256:` and 52 characters of Nix's base 32. */
  readonly hash?: string;
}

/** Where systems come from: a real flake (`flake-source.ts`) or the lab's stand-in. */
export interface ClosureSource {
  /** Human name of what is being rolled out: git revision or `--to` value. Resolved once, frozen in the plan. */
  revision(to: string | undefined, o: { readonly signal: AbortSignal }): Promise<string>;
  /** Builds (or finds) each host's system; each distinct system once. Throws `build-failed` naming the hosts. */
  build(
    hosts: readonly Host[],
    revision: string,
    o: { readonly signal: AbortSignal; readonly onLine?: (line: string) => void },
  ): Promise<ReadonlyMap<HostName, Closure>>;
  /** Builds each host's disk script, for an installation: `config.system.build.diskoScript`. */
  disko(
    hosts: readonly Host[],
    revision: string,
    o: { readonly signal: AbortSignal; readonly onLine?: (line: string) => void },
  ): Promise<ReadonlyMap<HostName, string>>;
  /** Every path of the closure, dependencies first. */
  requisites(toplevel: string, o: { readonly signal: AbortSignal }): Promise<readonly StorePathInfo[]>;
  /** A `nix-store --export` stream of exactly these paths, in this order. */
  export(paths: readonly string[], o: { readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
}
