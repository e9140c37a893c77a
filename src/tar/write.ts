/** Writes entries as a pax archive. Pure but for the stream. */
import { BLOCK, formatHeader } from "./header.ts";
import { type Entry, padding } from "./read.ts";

const CODE: Readonly<Record<Entry["type"], string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  directory: "5",
  other: "0",
};
const encoder = new TextEncoder();

/** Entries of type `other` (devices, sockets) are left out. */
export async function* writeTar(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const entry of entries) {
    if (entry.type === "other") continue;
    const size = entry.type === "file" ? entry.size : 0;
    const header = {
      name: entry.path,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size,
      mtime: entry.mtime,
      type: CODE[entry.type],
      link: entry.link,
    };
    const pax = new Map(entry.extra);
    const say = (key: string, value: string) => pax.set(key, encoder.encode(value));
    if (encoder.encode(entry.path).length > 99) say("path", entry.path);
    if (encoder.encode(entry.link).length > 99) say("linkpath", entry.link);
    if (size >= 8 ** 11) say("size", String(size));
    if (entry.uid >= 8 ** 7) say("uid", String(entry.uid));
    if (entry.gid >= 8 ** 7) say("gid", String(entry.gid));
    if (pax.size > 0) {
      const data = records(pax);
      yield formatHeader({ ...header, name: "PaxHeader", type: "x", size: data.length, link: "" });
      yield* padded(data);
    }
    yield formatHeader(header);
    if (entry.type !== "file") continue;
    yield* entry.body;
    yield new Uint8Array(padding(size));
  }
  yield new Uint8Array(2 * BLOCK);
}

function* padded(data: Uint8Array): Generator<Uint8Array> {
  yield data;
  yield new Uint8Array(padding(data.length));
}

function records(pax: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return Buffer.concat(
    [...pax].map(([key, value]) => {
      const rest = Buffer.concat([encoder.encode(` ${key}=`), value, encoder.encode("\n")]);
      // The length counts its own digits.
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return Buffer.concat([encoder.encode(String(length)), rest]);
    }),
  );
}
