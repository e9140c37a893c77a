/** The tree for `--extra-files`: what the new system needs besides its closure. Gone when disposed. */
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { HostIdentity } from "../identity.ts";
import type { SecretFile } from "./gather.ts";
import { SECRETS_DIR } from "./wanted.ts";

export interface StagedFiles extends AsyncDisposable {
  /** Laid over the new system's root. */
  readonly extraFiles: string;
  /** For `--disk-encryption-keys`: path in the installer -> file here. */
  readonly installerFiles: ReadonlyMap<string, string>;
}

/**
 * Below `dir`, which is made 0700. nixos-anywhere unpacks modes as they are, directories' too: a careful operator's
 * umask must not make the new system's /etc unreadable, so every mode is set.
 */
export async function stageFiles(
  dir: string,
  identity: HostIdentity,
  secrets: readonly SecretFile[],
): Promise<StagedFiles> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const root = join(dir, "root");
  await directory(root, root);
  const key = "/etc/ssh/ssh_host_ed25519_key";
  await file(root, key, identity.privateKey.reveal(), 0o600);
  await file(root, `${key}.pub`, `${identity.publicKey}\n`, 0o644);
  const installerFiles = new Map<string, string>();
  for (const secret of secrets) {
    if (secret.installOnly) {
      const path = join(dir, `installer-${installerFiles.size}`);
      await writeFile(path, secret.content.reveal(), { mode: 0o400 });
      installerFiles.set(secret.path, path);
    } else await file(root, secret.path, secret.content.reveal(), secret.mode);
  }
  return {
    extraFiles: root,
    installerFiles,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

async function file(root: string, path: string, text: string, mode: number): Promise<void> {
  const target = join(root, path);
  if (relative(root, target).startsWith("..")) throw new TypeError(`${path} is not below /`);
  await directory(root, dirname(target));
  await writeFile(target, text, { mode: 0o600 });
  await chmod(target, mode);
}

async function directory(root: string, dir: string): Promise<void> {
  if (dir !== root) await directory(root, dirname(dir));
  await mkdir(dir, { recursive: true });
  await chmod(dir, dir === join(root, SECRETS_DIR) ? 0o711 : 0o755);
}
