/** Getting a closure into a host's store: only what it lacks, dependencies first, so that it can be resumed. */

import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import type { ClosureSource, StorePathInfo } from "../nix/closures.ts";
import { parseAnswer } from "./answer.ts";
import { hostCommands, receiveCommand } from "./commands.ts";
import type { HostSessions } from "./host-session.ts";
import { Missing } from "./protocol.ts";
import type { Seeding } from "./seed.ts";

export interface StageDeps {
  readonly sessions: HostSessions;
  readonly closures: ClosureSource;
  /** Deadline of one closure's transfer, ms. */
  readonly copyTimeoutMs: number;
  /** The fleet's binary cache: tried by the host itself before anything is copied from here. */
  readonly cache?: { readonly url: string; readonly publicKey: string };
  /** Asked before anything is copied from here. */
  readonly seeding?: Seeding;
}

export interface Copied {
  /** Compressed ones that crossed the uplink; what came out of a cache or a site's own network does not count. */
  readonly bytes: number;
  readonly paths: number;
  /** The neighbour that brought it. */
  readonly seed?: string;
}

/** Copies what the closure of `to` has and the host has not: from the cache, its site's seed, or here. */
export async function copyClosure(
  deps: StageDeps,
  host: Host,
  { run, to }: { readonly run: string; readonly to: string },
  signal: AbortSignal,
): Promise<Copied> {
  const requisites = await deps.closures.requisites(to, { signal });
  let lacking = await missingPaths(deps.sessions, host, requisites, signal);
  if (deps.cache && lacking.paths.length > 0) {
    await fetchFromCache(deps, deps.cache, host, to, signal);
    lacking = await missingPaths(deps.sessions, host, requisites, signal);
  }
  if (lacking.paths.length === 0) return { bytes: 0, paths: 0 };
  requireRoom(host, lacking.paths, lacking.storeFree);
  const { seeding, ...without } = deps;
  const direct = (seed: Host) => copyClosure(without, seed, { run, to }, signal);
  const seeded = await seeding?.bring(run, host, lacking.paths, direct, signal);
  if (seeded) return { ...seeded, paths: lacking.paths.length };
  return copyDirectly(deps, host, lacking.paths, signal);
}

async function copyDirectly(
  deps: StageDeps,
  host: Host,
  lacking: readonly StorePathInfo[],
  signal: AbortSignal,
): Promise<Copied> {
  const meter = { bytes: 0 };
  const paths = lacking.map((p) => p.path);
  const stream = () => compressed(deps.closures.export(paths, { signal }), meter);
  await deps.sessions.run(host, (elevation) => receiveCommand(elevation, stream()), {
    signal,
    timeoutMs: deps.copyTimeoutMs,
  });
  return { bytes: meter.bytes, paths: paths.length };
}

/** A cache that is down or lacks something costs time, nothing else. */
async function fetchFromCache(
  deps: StageDeps,
  cache: NonNullable<StageDeps["cache"]>,
  host: Host,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  const call = { signal, timeoutMs: deps.copyTimeoutMs };
  try {
    await deps.sessions.run(host, (e) => hostCommands.fetch(e, to, cache), call);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FleetError) || error.code === "elevation-refused") throw error;
  }
}

async function missingPaths(
  sessions: HostSessions,
  host: Host,
  requisites: readonly StorePathInfo[],
  signal: AbortSignal,
): Promise<{ readonly paths: readonly StorePathInfo[]; readonly storeFree: number }> {
  const paths = requisites.map((r) => r.path);
  const result = await sessions.run(host, (e) => hostCommands.missing(e, paths), { signal });
  const answer = parseAnswer(host.name, "missing", result.stdout, Missing);
  const missing = new Set(answer.missing);
  return { paths: requisites.filter((r) => missing.has(r.path)), storeFree: answer.storeFree };
}

/** Said before the copy rather than by `nix-store` in the middle of it. */
function requireRoom(host: Host, paths: readonly StorePathInfo[], storeFreeKiB: number): void {
  const need = Math.ceil(paths.reduce((n, p) => n + p.size, 0) / 1024);
  if (need <= storeFreeKiB) return;
  const mib = (kib: number) => Math.ceil(kib / 1024);
  throw new FleetError(
    "host-disk-full",
    `${host.name} has ${mib(storeFreeKiB)} MiB free in /nix/store and would need ${mib(need)} MiB more`,
    { hint: `macula-fleet gc -l ${host.name}` },
  );
}

/** Gzip, fastest level: uplinks are slow, but so are the small machines that decompress. */
async function* compressed(
  source: AsyncIterable<Uint8Array>,
  meter: { bytes: number },
): AsyncIterable<Uint8Array> {
  const gzip = createGzip({ level: 1 });
  const input = Readable.from(source);
  input.on("error", (error) => gzip.destroy(error));
  try {
    for await (const chunk of input.pipe(gzip)) {
      const bytes: Uint8Array = chunk;
      meter.bytes += bytes.length;
      yield bytes;
    }
  } finally {
    input.destroy();
    gzip.destroy();
  }
}
