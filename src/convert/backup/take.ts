/** A node's state, streamed to the operator, and proved to be all there before anybody may erase anything. */
import { access, mkdir, open, rename, rm, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import prettyBytes from "pretty-bytes";
import { FleetError } from "../../errors.ts";
import type { Session } from "../../transport/transport.ts";
import { archivedPaths } from "../keep.ts";
import { inspectArchive, openArchive } from "./archive.ts";
import type { ArchiveKey } from "./keys.ts";
import {
  compareManifests,
  type Difference,
  extentOf,
  type Manifest,
  manifestJson,
  parseManifest,
} from "./manifest.ts";
import { archiveCommand, listCommand, type Where } from "./remote.ts";

export interface Backup {
  /** Encrypted tar; beside it `.manifest.json`. */
  readonly file: string;
  /** Of the plain tar, computed on both ends. */
  readonly sha256: string;
  readonly bytes: number;
  readonly manifest: Manifest;
}

export interface TakeOptions {
  readonly host: string;
  /** Without ending: `DIR/node-08-20261123T1500`. */
  readonly path: string;
  readonly key: ArchiveKey;
  readonly signal: AbortSignal;
  readonly base?: string;
  readonly note?: (text: string) => void;
}

/** Throws copy-failed when the disk is too small, the stream broke, or what arrived is not what was there. */
export async function takeBackup(session: Session, o: TakeOptions): Promise<Backup> {
  const { signal } = o;
  const where = { base: o.base ?? "/", paths: archivedPaths(), strict: true };
  const manifest = await readManifest(session, where, signal);
  const extent = extentOf(manifest.values());
  await mkdir(dirname(o.path), { recursive: true, mode: 0o700 });
  await assertRoom(dirname(o.path), extent.bytes);
  o.note?.(`copies ${extent.files} files, ${prettyBytes(extent.bytes)}`);
  const part = `${o.path}.tar.age.part`;
  const received = await stream(session, where, part, o);
  const reread = await inspectArchive(part, o.key, signal);
  if (reread.sha256 !== received.sha256)
    throw mismatch(o.host, [{ path: part, what: "does not read back as it was written" }]);
  const differences = compareManifests(manifest, reread.manifest, { exact: true });
  if (differences.length > 0) throw mismatch(o.host, differences);
  // What was written after it was copied is in no archive: a quick writer escapes the comparison above.
  const since = await changesSince({ manifest }, session, signal, where.base);
  if (since.length > 0) throw mismatch(o.host, since);
  const file = `${o.path}.tar.age`;
  await writeFile(`${o.path}.manifest.json`, manifestJson(manifest), { mode: 0o600 });
  await rename(part, file);
  await syncDirectory(dirname(file));
  return { file, ...received, manifest };
}

/** The archive once more, from first to last byte, right before something is erased. */
export async function assertBackup(
  backup: Backup,
  key: ArchiveKey,
  host: string,
  signal: AbortSignal,
): Promise<void> {
  const { manifest, sha256 } = await inspectArchive(backup.file, key, signal);
  if (sha256 !== backup.sha256)
    throw mismatch(host, [{ path: backup.file, what: "is not the archive that was made" }]);
  const differences = compareManifests(backup.manifest, manifest, { exact: true });
  if (differences.length > 0) throw mismatch(host, differences);
}

/** What is on the node now and not in its archive, or there otherwise. Empty: the archive is all there is to lose. */
export async function changesSince(
  { manifest }: Pick<Backup, "manifest">,
  session: Session,
  signal: AbortSignal,
  base = "/",
): Promise<readonly Difference[]> {
  const now = await readManifest(session, { base, paths: archivedPaths(), strict: true }, signal);
  return compareManifests(manifest, now, { exact: true });
}

export async function readManifest(session: Session, where: Where, signal: AbortSignal): Promise<Manifest> {
  const result = await session.run(listCommand(where), {
    signal,
    timeoutMs: 3_600_000,
    maxOutput: 512 * 1024 * 1024,
  });
  if (result.code !== 0)
    throw new FleetError(
      "copy-failed",
      `the files could not be listed: ${result.stderr.trim().slice(0, 300)}`,
    );
  return parseManifest(result.stdout);
}

async function stream(
  session: Session,
  where: Where,
  part: string,
  o: TakeOptions,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const writer = await openArchive(part, o.key);
  try {
    const result = await session.run(archiveCommand(where), {
      signal: o.signal,
      timeoutMs: 24 * 3_600_000,
      onStdout: (chunk) => writer.write(chunk),
    });
    if (result.code !== 0)
      throw new FleetError(
        "copy-failed",
        `the archive broke off on ${o.host}: ${result.stderr.trim().slice(0, 300)}`,
        { hint: "nothing was erased; run the same command again" },
      );
    const received = await writer.finish();
    const sent = /^sha256 ([0-9a-f]{64})$/m.exec(result.stderr)?.[1];
    if (sent !== received.sha256)
      throw mismatch(o.host, [
        { path: part, what: `arrived with sha256 ${received.sha256}, was sent with ${sent ?? "none"}` },
      ]);
    return received;
  } catch (error) {
    await writer.abandon();
    await rm(part, { force: true });
    throw error;
  }
}

async function assertRoom(dir: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  if (free > bytes * 1.05 + 16 * 1024 * 1024) return;
  throw new FleetError(
    "copy-failed",
    `${dir} has ${prettyBytes(free)} free, the archive needs ${prettyBytes(bytes)}`,
    { hint: "name a place with room: --archive-dir DIR; nothing was changed" },
  );
}

function mismatch(host: string, differences: readonly Difference[]): FleetError {
  const shown = differences.slice(0, 5).map((d) => `/${d.path.replace(/^\//, "")} ${d.what}`);
  return new FleetError(
    "copy-failed",
    `the archive of ${host} is not what is on the node: ${shown.join("; ")}${differences.length > 5 ? ` and ${differences.length - 5} more` : ""}`,
    {
      hint: "something still writes there: stop it, then run the same command again; nothing was erased",
      data: { differences: differences.slice(0, 100) },
    },
  );
}

async function syncDirectory(dir: string): Promise<void> {
  await using handle = await open(dir, "r");
  await handle.sync();
}

/** Without ending; `copy` counts from 1: what an earlier one has may be nowhere else. */
export const archiveName = (dir: string, host: string, run: string, copy = 1): string =>
  join(dir, copy === 1 ? `${host}-${run}` : `${host}-${run}-${copy}`);

/** The first name that no archive has yet. */
export async function freeArchiveName(dir: string, host: string, run: string): Promise<string> {
  for (let copy = 1; ; copy++) {
    const path = archiveName(dir, host, run, copy);
    const taken = await access(`${path}.tar.age`).then(
      () => true,
      () => false,
    );
    if (!taken) return path;
  }
}
