/**
 * The `nix-store --export` format, written and read. Framing and archives are genuine (a real `nix-store --import`
 * could parse them); what is inside is made up: a regular file of deterministic bytes, or a toplevel's description.
 */
import type { StoreEntry, SystemDescription } from "../machine/system.ts";

const EXPORT_MAGIC = 0x4558494en;
function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}

const BEFORE = ["nix-archive-1", "(", "type", "regular", "contents"].map(nixString);
const AFTER = nixString(")");
const BEFORE_LENGTH = BEFORE.reduce((n, b) => n + b.length, 0);

function integer(value: number | bigint): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
}

function nixString(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([integer(bytes.length), bytes], 8 + padded(bytes.length));
}

/** Size of the archive of one regular file. */
export const narSize = (contentLength: number): number =>
  BEFORE_LENGTH + 8 + padded(contentLength) + AFTER.length;

/** Bytes that differ from path to path and do not compress, or a toplevel's description. */
export function contentOf(path: string, length: number, system?: SystemDescription): Buffer {
  if (system) return Buffer.from(JSON.stringify({ "macula-fleet lab": "simulated system", ...system }));
  const words = new Uint32Array(Math.ceil(length / 4));
  let x = 2463534242;
  for (let i = 0; i < path.length; i++) x = Math.imul(x ^ path.charCodeAt(i), 16777619) || 1;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return Buffer.from(words.buffer, 0, length);
}

function contentLength(entry: StoreEntry): number {
  return entry.size - BEFORE_LENGTH - 8 - AFTER.length;
}

/** One chunk per path, then the end mark. */
export function* exportStream(entries: Iterable<StoreEntry>): Generator<Uint8Array> {
  for (const entry of entries) {
    const content = contentOf(entry.path, contentLength(entry), entry.system);
    yield Buffer.concat([
      integer(1),
      ...BEFORE,
      nixString(content),
      AFTER,
      integer(EXPORT_MAGIC),
      nixString(entry.path),
      integer(entry.refs.length),
      ...entry.refs.map(nixString),
      nixString(""), // deriver
      integer(0), // no signature
    ]);
  }
  yield integer(0);
}

/** Reads an export stream piece by piece: `push` returns the paths that became complete. Throws `Error` on garbage. */
export interface ImportReader {
  push(chunk: Uint8Array): readonly StoreEntry[];
  /** True once the end mark was read. */
  readonly ended: boolean;
}

class Incomplete extends Error {}

export function createImportReader(): ImportReader {
  let buffer = Buffer.alloc(0);
  let ended = false;
  return {
    get ended() {
      return ended;
    },
    push(chunk) {
      buffer = Buffer.concat([buffer, chunk]);
      const done: StoreEntry[] = [];
      try {
        while (buffer.length > 0 && !ended) {
          const { entry, length } = readPath(buffer);
          buffer = buffer.subarray(length);
          if (entry) done.push(entry);
          else ended = true;
        }
      } catch (error) {
        if (!(error instanceof Incomplete)) throw error;
      }
      return done;
    },
  };
}

function readPath(buffer: Buffer): { readonly entry: StoreEntry | null; readonly length: number } {
  let at = 0;
  const take = (n: number): Buffer => {
    if (at + n > buffer.length) throw new Incomplete();
    at += n;
    return buffer.subarray(at - n, at);
  };
  const number = (): number => Number(take(8).readBigUInt64LE());
  const string = (): Buffer => {
    const n = number();
    if (n > 1 << 28)
      throw new Error("error: input doesn't look like something created by 'nix-store --export'");
    return take(padded(n)).subarray(0, n);
  };
  const flag = number();
  if (flag === 0) return { entry: null, length: at };
  if (flag !== 1) throw new Error("error: input doesn't look like something created by 'nix-store --export'");
  const start = at;
  for (const word of BEFORE) {
    if (!take(word.length).equals(word)) throw new Error("error: bad archive: unexpected contents");
  }
  const content = string();
  if (!take(AFTER.length).equals(AFTER)) throw new Error("error: bad archive: expected ')'");
  const size = at - start;
  if (BigInt(number()) !== EXPORT_MAGIC)
    throw new Error("error: Nix archive cannot be imported; wrong format");
  const path = string().toString();
  const refs = Array.from({ length: number() }, () => string().toString());
  string();
  if (number() !== 0) string();
  const system = readSystem(path, content);
  return { entry: { path, size, refs, ...(system ? { system } : {}) }, length: at };
}

function readSystem(path: string, content: Buffer): SystemDescription | null {
  if (!/-nixos-system-/.test(path)) return null;
  const { host, revision, behaviour, version, kernel }: SystemDescription = JSON.parse(content.toString());
  return { host, revision, behaviour, version, kernel };
}
