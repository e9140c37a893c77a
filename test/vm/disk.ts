/** A bootable disk image that holds one system, and nothing of another machine. */
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import type { Base } from "./base.ts";
import { type Loader, writeDisk } from "./sectors.ts";

// Nix looks at /proc; a mount of our own goes away with the command.
const OWN_MOUNTS = ["--mount", "--propagation", "private", "sh", "-c"];
const ENTER = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';

export interface DiskContent {
  readonly loader: Loader;
  /** What the machine boots at first. */
  readonly system: string;
  /** `nix-store --export` of its closure. */
  readonly closure: AsyncIterable<Uint8Array>;
  /** May log in as root. */
  readonly authorizedKey: string;
}

/** Writes the image to `path`. Needs root. */
export async function makeDisk(
  base: Base,
  path: string,
  content: DiskContent,
  signal: AbortSignal,
): Promise<void> {
  const root = await mkdtemp(join(dirname(path), "root-"));
  const inside = (stdin: "ignore" | AsyncIterable<Uint8Array>, ...command: readonly string[]) =>
    execa("unshare", [...OWN_MOUNTS, ENTER, root, ...command], {
      cancelSignal: signal,
      stdin,
      stdout: "ignore",
    });
  try {
    await execa("tar", ["--extract", "--file", base.file("rootfs.tar"), "--directory", root], {
      cancelSignal: signal,
    });
    await inside(content.closure, "nix-store", "--import");
    await inside("ignore", "nix-env", "-p", "/nix/var/nix/profiles/system", "--set", content.system);
    if (content.loader === "systemd-boot") {
      await mkdir(join(root, "boot/EFI/BOOT"), { recursive: true });
      await mkdir(join(root, "boot/loader"));
      await copyFile(base.file("systemd-boot.efi"), join(root, "boot/EFI/BOOT/BOOTX64.EFI"));
    }
    const install = "/usr/local/sbin/lab-install-boot-loader";
    await symlink(`lab-install-${content.loader}`, join(root, install));
    await inside("ignore", install, content.system);
    await mkdir(join(root, "root/.ssh"), { recursive: true, mode: 0o700 });
    await writeFile(join(root, "root/.ssh/authorized_keys"), `${content.authorizedKey}\n`, { mode: 0o600 });
    const hostKey = join(root, "etc/ssh/ssh_host_ed25519_key");
    for (const kind of ["rsa", "ecdsa", "ed25519"]) {
      for (const end of ["", ".pub"]) {
        await rm(join(root, `etc/ssh/ssh_host_${kind}_key${end}`), { force: true });
      }
    }
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", hostKey]);
    await writeDisk(base, content.loader, root, path, signal);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
