import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { z } from "zod";
import { FleetError } from "../errors.ts";
import { writeWhole } from "../kernel/write-whole.ts";
import { readIfThere } from "./files.ts";

/** `identity.json`: an Ed25519 key as base64 and the name that follows from it. Nodes of k3OS wrote the same. */
const Identity = z.object({ public_key: z.string(), private_key: z.string(), did: z.string() });

/** DER in front of a raw Ed25519 private key (PKCS #8, RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** `did:macula:` and the first 16 bytes of the public key. */
export function didOf(publicKey: Uint8Array): string {
  return `did:macula:${Buffer.from(publicKey.subarray(0, 16)).toString("base64url")}`;
}

/**
 * The machine's mesh identity, made when there is none. One that does not fit together is never replaced: others may
 * know the machine by it. Throws `needs-human`. Only the name leaves this module.
 */
export async function ensureIdentity(path: string): Promise<{ readonly did: string }> {
  const text = await readIfThere(path);
  if (text !== null) return { did: readIdentity(text, path) };
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const pub = rawOf(publicKey, "x");
  const did = didOf(pub);
  const file = {
    public_key: pub.toString("base64"),
    private_key: rawOf(privateKey, "d").toString("base64"),
    did,
  };
  await writeWhole(path, `${JSON.stringify(file, null, 2)}\n`, 0o600);
  return { did };
}

function readIdentity(text: string, path: string): string {
  try {
    const { public_key, private_key, did } = Identity.parse(JSON.parse(text));
    const key = createPrivateKey({
      key: Buffer.concat([PKCS8, Buffer.from(private_key, "base64")]),
      format: "der",
      type: "pkcs8",
    });
    const pub = rawOf(createPublicKey(key), "x");
    if (pub.toString("base64") === public_key && didOf(pub) === did) return did;
  } catch {
    // The cause could quote the key.
  }
  throw new FleetError("needs-human", `${path} is not a whole identity: key and name do not fit together`, {
    hint: "restore it from a backup, or remove it to make a new one",
  });
}

function rawOf(key: KeyObject, field: "x" | "d"): Buffer {
  return Buffer.from(String(key.export({ format: "jwk" })[field]), "base64url");
}
