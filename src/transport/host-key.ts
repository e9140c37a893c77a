import { createHash, timingSafeEqual } from "node:crypto";

/** A public host key as it crosses the wire. */
export interface HostKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, … */
  readonly type: string;
  readonly blob: Buffer;
}

/** OpenSSH's `SHA256:…` form of a public key blob. */
export function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** The key type is the first length-prefixed string of the blob. Undefined when the bytes are no key. */
export function keyFromBlob(blob: Buffer): HostKey | undefined {
  if (blob.length < 4) return undefined;
  const length = blob.readUInt32BE(0);
  if (length === 0 || length > 64 || blob.length < 4 + length) return undefined;
  return { type: blob.toString("latin1", 4, 4 + length), blob };
}

/** Reads `ssh-ed25519 AAAA… [comment]`. Undefined when the text is no key or contradicts its own type. */
export function parseHostKey(text: string): HostKey | undefined {
  const [type, base64] = text.trim().split(/[ \t]+/);
  if (type === undefined || base64 === undefined || !/^[A-Za-z0-9+/]+=*$/.test(base64)) return undefined;
  const key = keyFromBlob(Buffer.from(base64, "base64"));
  return key?.type === type ? key : undefined;
}

/** `ssh-ed25519 AAAA…`: what an inventory pins and known_hosts stores. */
export function formatHostKey(key: HostKey): string {
  return `${key.type} ${key.blob.toString("base64")}`;
}

export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
