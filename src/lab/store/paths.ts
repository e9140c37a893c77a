/** Deterministic store paths for simulated closures: the same words always give the same path. */
import { createHash } from "node:crypto";

const NIX_BASE32 = "0123456789abcdfghijklmnpqrsvwxyz";

/** 32 characters of Nix's base 32, from 160 bits of the words' SHA-256. */
export function storeHash(...words: readonly string[]): string {
  const digest = createHash("sha256").update(words.join("\0")).digest();
  return Array.from({ length: 32 }, (_, i) => {
    const bit = i * 5;
    const pair = ((digest[bit >> 3] ?? 0) << 8) | (digest[(bit >> 3) + 1] ?? 0);
    return NIX_BASE32[(pair >> (11 - (bit & 7))) & 31];
  }).join("");
}

export const storePath = (name: string, ...salt: readonly string[]): string =>
  `/nix/store/${storeHash(name, ...salt)}-${name}`;

/** The part after the hash: `nixos-system-node-01-r2`. */
export const nameOfPath = (path: string): string => path.slice("/nix/store/".length + 33);
