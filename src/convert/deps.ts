import type { InstallDeps } from "../install/engine.ts";
import type { Host } from "../inventory/model.ts";
import type { Session } from "../transport/transport.ts";
import type { ArchiveKey } from "./backup/keys.ts";

export interface ConvertDeps {
  /** Everything an installation needs; `vault` and `phases` are the conversion's own. */
  readonly install: Omit<InstallDeps, "vault" | "phases">;
  /** Always a new connection. */
  readonly connect: (host: Host, signal: AbortSignal) => Promise<Session>;
  readonly key: ArchiveKey;
  readonly archiveDir: string;
  /** The node as the archive has it, in the form of `Conversion.imported`. */
  readonly reimport: (texts: ReadonlyMap<string, string>) => string;
  /** Root of the installed system once it runs: `/`; a container of a lab keeps it elsewhere. */
  readonly newRoot: string;
  /** Seconds for `kubectl drain`. */
  readonly drainSeconds: number;
}
