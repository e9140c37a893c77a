/** The key archives are encrypted with: the one the fleet's host identities are. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { Secret } from "../../kernel/secret.ts";

export interface ArchiveKey {
  readonly identity: Secret;
  /** `age1…` */
  readonly recipient: string;
  readonly file: string;
}

/** `dir/age.key` (0600), made when there is none. */
export async function archiveKey(dir: string): Promise<ArchiveKey> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, "age.key");
  const identity = await kept(file);
  return { identity: new Secret(identity), recipient: await identityToRecipient(identity), file };
}

async function kept(file: string): Promise<string> {
  const made = await generateX25519Identity();
  try {
    await writeFile(file, `${made}\n`, { mode: 0o600, flag: "wx" });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const text = await readFile(file, "utf8");
    return (
      text
        .split("\n")
        .find((line) => line.startsWith("AGE-SECRET-KEY-"))
        ?.trim() ?? text.trim()
    );
  }
}
