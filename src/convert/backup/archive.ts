/** An encrypted archive on the operator's disk: written as it arrives, and read again before it is believed. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { Decrypter, Encrypter } from "age-encryption";
import { FleetError } from "../../errors.ts";
import { type Entry, readTar } from "../../tar/read.ts";
import type { ArchiveKey } from "./keys.ts";
import type { Manifest, ManifestEntry } from "./manifest.ts";

export interface ArchiveWriter {
  /** Resolves when the disk took it. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes it durable; sha256 and size of the plain text. */
  finish(): Promise<{ readonly sha256: string; readonly bytes: number }>;
  abandon(): Promise<void>;
}

/** Throws copy-failed when the disk is full or cannot be written. */
export async function openArchive(file: string, key: ArchiveKey): Promise<ArchiveWriter> {
  const handle = await open(file, "w", 0o600).catch((cause: unknown) =>
    Promise.reject(unwritable(file, cause)),
  );
  const hash = createHash("sha256");
  let bytes = 0;
  const encrypter = new Encrypter();
  encrypter.addRecipient(key.recipient);
  const plain = new TransformStream<Uint8Array, Uint8Array>();
  const input = plain.writable.getWriter();
  const pumped = encrypter.encrypt(plain.readable).then(async (cipher) => {
    for await (const chunk of cipher) await handle.write(chunk);
    await handle.sync();
  });
  // Whoever writes next, or finishes, is told; nobody may be listening yet.
  pumped.catch((error: unknown) => input.abort(error).catch(() => undefined));
  const orDisk = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      throw unwritable(file, error);
    }
  };
  return {
    async write(chunk) {
      hash.update(chunk);
      bytes += chunk.length;
      // A copy: the stream may reuse its buffer, and encryption is one step behind.
      await orDisk(input.write(Uint8Array.from(chunk)));
    },
    async finish() {
      try {
        await orDisk(input.close());
        await orDisk(pumped);
      } finally {
        await handle.close();
      }
      return { sha256: hash.digest("hex"), bytes };
    },
    async abandon() {
      await input.abort().catch(() => undefined);
      await pumped.catch(() => undefined);
      await handle.close().catch(() => undefined);
    },
  };
}

function unwritable(file: string, cause: unknown): FleetError {
  if (cause instanceof FleetError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code === "ENOSPC" || code === "EDQUOT"
    ? new FleetError("copy-failed", `the disk with ${file} is full`, {
        cause,
        hint: "name a place with room: --archive-dir DIR; nothing was erased",
      })
    : new FleetError("copy-failed", `cannot write ${file}: ${code ?? String(cause)}`, {
        cause,
        hint: "name another place: --archive-dir DIR; nothing was erased",
      });
}

/** The plain stream of an archive. Throws copy-failed when it is damaged or the key is another one. */
export async function* decrypted(file: string, key: ArchiveKey): AsyncGenerator<Uint8Array, void, undefined> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(key.identity.reveal());
  const raw = createReadStream(file);
  try {
    yield* await decrypter.decrypt(Readable.toWeb(raw) as ReadableStream<Uint8Array>);
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw new FleetError(
      "copy-failed",
      `${file} cannot be decrypted: it is damaged, or ${key.file} is not its key`,
      { cause, hint: "nothing was erased on account of it; make the archive again" },
    );
  } finally {
    raw.destroy();
  }
}

/** Every entry, in order. */
export async function* archiveEntries(file: string, key: ArchiveKey): AsyncGenerator<Entry, void, undefined> {
  yield* readTar(decrypted(file, key), { several: true });
}

/** Reads the archive from its first to its last byte: what is in it, and the checksum of all of it. */
export async function inspectArchive(
  file: string,
  key: ArchiveKey,
  signal: AbortSignal,
): Promise<{ readonly manifest: Manifest; readonly sha256: string }> {
  const whole = createHash("sha256");
  const stream = async function* () {
    for await (const chunk of decrypted(file, key)) {
      signal.throwIfAborted();
      whole.update(chunk);
      yield chunk;
    }
  };
  const manifest = new Map<string, ManifestEntry>();
  for await (const entry of readTar(stream(), { several: true })) {
    const hash = createHash("sha256");
    if (entry.type === "symlink") hash.update(`${entry.link}\n`);
    else if (entry.type === "file") for await (const chunk of entry.body) hash.update(chunk);
    const linked =
      entry.type === "hardlink" ? manifest.get(entry.link.replace(/^(?:\.?\/)+/, "")) : undefined;
    if (entry.type === "other") continue;
    manifest.set(entry.path, {
      path: entry.path,
      type: entry.type === "hardlink" ? "file" : entry.type,
      mode: entry.mode.toString(8).padStart(4, "0"),
      uid: entry.uid,
      gid: entry.gid,
      size: linked ? linked.size : entry.type === "file" ? entry.size : 0,
      sha256: linked ? linked.sha256 : entry.type === "directory" ? "-" : hash.digest("hex"),
    });
  }
  return { manifest, sha256: whole.digest("hex") };
}

/** Texts of small files of the archive, by path without a leading slash. */
export async function archiveTexts(
  file: string,
  key: ArchiveKey,
  wanted: (path: string) => boolean,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for await (const entry of archiveEntries(file, key)) {
    if (entry.type !== "file" || entry.size > 1_048_576 || !wanted(entry.path)) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.body) chunks.push(chunk);
    texts.set(entry.path, Buffer.concat(chunks).toString("utf8"));
  }
  return texts;
}
