/** A machine's host key, made before the machine is: pinned from its first login on, encrypted where it is kept. */
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import ssh2 from "ssh2";
import { FleetError } from "../errors.ts";
import { Secret } from "../kernel/secret.ts";
import { newKeyPair } from "../transport/key-pair.ts";

export interface HostIdentity {
  /** `ssh-ed25519 AAAA…` */
  readonly publicKey: string;
  /** OpenSSH private key file. */
  readonly privateKey: Secret;
}

/** Identities under `dir` (0700): `age.key`, and `HOST.age` for each host. Throws `secret-unavailable`. */
export interface IdentityVault {
  /** The one kept for `host`, or a new one that is kept from now on. */
  of(host: string): Promise<HostIdentity>;
  /** The one kept for `host`; null when none ever was. */
  kept(host: string): Promise<HostIdentity | null>;
}

export function openVault(dir: string): IdentityVault {
  let age: Promise<string> | undefined;
  const file = (host: string) => join(dir, `${host}.age`);
  const ageKey = () => {
    age ??= ageIdentity(dir);
    return age;
  };
  const kept = async (host: string): Promise<HostIdentity | null> => {
    const sealed = await readOptional(file(host));
    if (!sealed) return null;
    const decrypter = new Decrypter();
    decrypter.addIdentity(await ageKey());
    const text = await decrypter.decrypt(sealed, "text").catch((cause: unknown) => {
      throw new FleetError("secret-unavailable", `the host key of ${host} cannot be decrypted`, {
        cause,
        hint: `${join(dir, "age.key")} is not the key it was encrypted with, or ${file(host)} is damaged: restore them from a backup`,
      });
    });
    return fromPrivate(host, text);
  };
  return {
    kept,
    async of(host) {
      const known = await kept(host);
      if (known) return known;
      const made = newKeyPair(host);
      const encrypter = new Encrypter();
      encrypter.addRecipient(await identityToRecipient(await ageKey()));
      await writeOnce(file(host), await encrypter.encrypt(made.private));
      // Somebody may have been first: then theirs counts.
      return (await kept(host)) ?? fromPrivate(host, made.private);
    },
  };
}

async function ageIdentity(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, "age.key");
  const kept = await readOptional(file);
  if (kept) return kept.toString("utf8").trim();
  await writeOnce(file, `${await generateX25519Identity()}\n`);
  return (await readFile(file, "utf8")).trim();
}

/** Whole or not at all, and never over what is there. */
async function writeOnce(file: string, content: string | Uint8Array): Promise<void> {
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(draft, content, { mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function fromPrivate(host: string, privateKey: string): HostIdentity {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error)
    throw new FleetError("secret-unavailable", `the kept host key of ${host} cannot be read`, {
      hint: "restore the identities from a backup",
    });
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return {
    privateKey: new Secret(privateKey),
    publicKey: `${key.type} ${key.getPublicSSH().toString("base64")}`,
  };
}

async function readOptional(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
