/** One 512-byte header of a tar archive (ustar, GNU and pax numbers). Pure. */
import { FleetError } from "../errors.ts";

export const BLOCK = 512;

export interface Header {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** `0` file, `1` hard link, `2` symlink, `5` directory, `x` `g` `L` `K` about the next entry … */
  readonly type: string;
  readonly link: string;
}

const ascii = new TextDecoder("utf-8");

function text(block: Uint8Array, at: number, length: number): string {
  const part = block.subarray(at, at + length);
  const end = part.indexOf(0);
  return ascii.decode(end < 0 ? part : part.subarray(0, end));
}

/** Octal, or big-endian binary when the first bit is set (GNU). */
function number(block: Uint8Array, at: number, length: number): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = first & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + (block[at + i] ?? 0);
    return value;
  }
  const octal = text(block, at, length).trim();
  return octal === "" ? 0 : Number.parseInt(octal, 8);
}

/** Null for a block of zeros (the end). Throws `copy-failed` when the checksum is wrong. */
export function parseHeader(block: Uint8Array): Header | null {
  if (block.every((b) => b === 0)) return null;
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : (block[i] ?? 0);
  if (sum !== number(block, 148, 8)) throw damaged("a header does not add up");
  const prefix = text(block, 257, 5) === "ustar" && text(block, 263, 2) === "00" ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    type: String.fromCharCode(block[156] || 48),
    link: text(block, 157, 100),
  };
}

/** A ustar header; what does not fit has to be in a pax record before it. */
export function formatHeader(header: Header): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, length: number, value: string) => {
    block.set(new TextEncoder().encode(value).subarray(0, length), at);
  };
  const octal = (at: number, length: number, value: number) =>
    put(at, length, (value < 8 ** (length - 1) ? value : 0).toString(8).padStart(length - 1, "0"));
  put(0, 100, header.name);
  octal(100, 8, header.mode);
  octal(108, 8, header.uid);
  octal(116, 8, header.gid);
  octal(124, 12, header.size);
  octal(136, 12, Math.max(0, Math.floor(header.mtime)));
  put(148, 8, "        ");
  put(156, 1, header.type);
  put(157, 100, header.link);
  put(257, 8, "ustar\u000000");
  const sum = block.reduce((a, b) => a + b, 0);
  put(148, 8, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

export const damaged = (what: string): FleetError =>
  new FleetError("copy-failed", `the archive is damaged: ${what}`, {
    hint: "make it again; nothing was changed by reading it",
  });
