/** A machine's host key, made before the machine is: pinned from its first login on, encrypted where it is kept. */
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import ssh2 from "ssh2";
import { FleetError } from "../errors.ts";
import { newKeyPair } from "../transport/key-pair.ts";

export interface HostIdentity {
  /** `ssh-ed25519 AAAA…` */
  readonly publicKey: string;
  readonly privateKey: string;
}

/** Identities under `dir` (0700): `age.key`, and `HOST.age` for each host. */
export interface IdentityVault {
  /** The one kept for `host`, or a new one that is kept from now on. */
  of(host: string): Promise<HostIdentity>;
}

export function openVault(dir: string): IdentityVault {
  let age: Promise<string> | undefined;
  return {
    async of(host) {
      age ??= ageIdentity(dir);
      const identity = await age;
      const file = join(dir, `${host}.age`);
      const kept = await readOptional(file);
      if (kept) {
        const decrypter = new Decrypter();
        decrypter.addIdentity(identity);
        try {
          return fromPrivate(await decrypter.decrypt(kept, "text"));
        } catch (cause) {
          throw new FleetError("secret-unavailable", `the host key of ${host} cannot be decrypted`, {
            cause,
            hint: `${join(dir, "age.key")} is not the key it was encrypted with`,
          });
        }
      }
      const made = newKeyPair(host);
      const encrypter = new Encrypter();
      encrypter.addRecipient(await identityToRecipient(identity));
      await writeFile(file, await encrypter.encrypt(made.private), { mode: 0o600 });
      return fromPrivate(made.private);
    },
  };
}

async function ageIdentity(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, "age.key");
  const kept = await readOptional(file);
  if (kept) return new TextDecoder().decode(kept).trim();
  const made = await generateX25519Identity();
  await writeFile(file, `${made}\n`, { mode: 0o600, flag: "wx" });
  return made;
}

function fromPrivate(privateKey: string): HostIdentity {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error)
    throw new FleetError("secret-unavailable", "a kept host key cannot be read", { cause: parsed });
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return { privateKey, publicKey: `${key.type} ${key.getPublicSSH().toString("base64")}` };
}

/** A tree for `--extra-files`; gone when disposed. Keys 0600 in directories 0755. */
export async function stageFiles(
  dir: string,
  identity: HostIdentity,
  secrets: ReadonlyMap<string, string>,
): Promise<AsyncDisposable> {
  const files = new Map([
    ["/etc/ssh/ssh_host_ed25519_key", identity.privateKey],
    ["/etc/ssh/ssh_host_ed25519_key.pub", `${identity.publicKey}\n`],
    ...secrets,
  ]);
  for (const [path, text] of files) {
    const file = join(dir, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, text, { mode: 0o600 });
    await chmod(file, path.endsWith(".pub") ? 0o644 : secrets.has(path) ? 0o400 : 0o600);
  }
  return { [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

async function readOptional(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
