/** Reads a tar stream entry by entry, never holding more than a chunk. Pure but for the stream. */
import { BLOCK, damaged, parseHeader } from "./header.ts";

export interface Entry {
  /** As in the archive, `./` and leading slashes removed; directories without the last slash. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly link: string;
  /** pax records other than path, size and owner: ACLs, extended attributes, exact times. */
  readonly extra: ReadonlyMap<string, Uint8Array>;
  /** Must be read to its end, or not at all, before the next entry is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Throws `copy-failed` on an archive that is damaged or ends early. `several`: archives one after the other, as a tar
 * that was given its names in portions leaves them.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  { several = false }: { readonly several?: boolean } = {},
): AsyncGenerator<Entry, void, undefined> {
  const input = new Blocks(source);
  let ended = false;
  let pax = new Map<string, Uint8Array>();
  let longName: string | null = null;
  let longLink: string | null = null;
  for (;;) {
    if (ended && (await input.atEnd())) return;
    const block = await input.exactly(BLOCK);
    if (block === null) throw damaged("it ends early");
    const header = parseHeader(block);
    ended = several && header === null;
    if (ended) continue;
    if (header === null) {
      await input.drain();
      return;
    }
    if (["x", "g", "L", "K"].includes(header.type)) {
      const data = await input.exactly(header.size);
      if (data === null) throw damaged("it ends early");
      await input.skip(padding(header.size));
      if (header.type === "x") pax = records(data);
      else if (header.type === "L") longName = zeroEnded(data);
      else if (header.type === "K") longLink = zeroEnded(data);
      continue;
    }
    const said = (key: string) => {
      const value = pax.get(key);
      return value === undefined ? undefined : new TextDecoder().decode(value);
    };
    const size = Number(said("size") ?? header.size);
    const body = input.part(size);
    yield {
      path: (said("path") ?? longName ?? header.name).replace(/^(?:\.?\/)+/, "").replace(/\/+$/, ""),
      type: TYPES[header.type] ?? "other",
      mode: header.mode,
      uid: Number(said("uid") ?? header.uid),
      gid: Number(said("gid") ?? header.gid),
      size,
      mtime: Number(said("mtime") ?? header.mtime),
      link: said("linkpath") ?? longLink ?? header.link,
      extra: new Map([...pax].filter(([key]) => !OWN_KEYS.has(key))),
      body,
    };
    await body.rest();
    await input.skip(padding(size));
    pax = new Map();
    longName = null;
    longLink = null;
  }
}

const TYPES: Readonly<Record<string, Entry["type"]>> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "5": "directory",
  "7": "file",
};
const OWN_KEYS = new Set(["path", "linkpath", "size", "uid", "gid", "uname", "gname"]);

export const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

/** `LENGTH KEY=VALUE\n`, lengths in bytes. */
function records(data: Uint8Array): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(32, at);
    const length = Number(new TextDecoder().decode(data.subarray(at, blank)));
    if (blank < 0 || !Number.isInteger(length) || length <= blank - at)
      throw damaged("an extended header is wrong");
    const record = data.subarray(blank + 1, at + length - 1);
    const equals = record.indexOf(61);
    found.set(new TextDecoder().decode(record.subarray(0, equals)), record.slice(equals + 1));
    at += length;
  }
  return found;
}

function zeroEnded(data: Uint8Array): string {
  const end = data.indexOf(0);
  return new TextDecoder().decode(end < 0 ? data : data.subarray(0, end));
}

class Blocks {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async atEnd(): Promise<boolean> {
    while (this.#held.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return true;
      this.#held = next.value;
    }
    return false;
  }

  /** At most `most` bytes; null at the end. */
  async some(most: number): Promise<Uint8Array | null> {
    if (await this.atEnd()) return null;
    const taken = this.#held.subarray(0, most);
    this.#held = this.#held.subarray(taken.length);
    return taken;
  }

  async exactly(size: number): Promise<Uint8Array | null> {
    const result = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const part = await this.some(size - at);
      if (part === null) return null;
      result.set(part, at);
      at += part.length;
    }
    return result;
  }

  async skip(size: number): Promise<void> {
    for (let left = size; left > 0; ) {
      const part = await this.some(left);
      if (part === null) throw damaged("it ends early");
      left -= part.length;
    }
  }

  /** What follows the end is read, too: a checksum over the whole stream depends on it. */
  async drain(): Promise<void> {
    while ((await this.some(1 << 20)) !== null);
  }

  part(size: number): AsyncIterable<Uint8Array> & { rest(): Promise<void> } {
    let left = size;
    const next = async (): Promise<Uint8Array | null> => {
      if (left === 0) return null;
      const chunk = await this.some(left);
      if (chunk === null) throw damaged("it ends early");
      left -= chunk.length;
      return chunk;
    };
    return {
      async *[Symbol.asyncIterator]() {
        for (let chunk = await next(); chunk !== null; chunk = await next()) yield chunk;
      },
      rest: async () => {
        while ((await next()) !== null);
      },
    };
  }
}
