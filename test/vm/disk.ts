/** Bootable disk images: with one system of the fleet, or with a Debian that nobody has installed yet. */
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { type Base, recipe } from "./base.ts";
import { type Loader, writeDisk } from "./sectors.ts";

// Nix looks at /proc; a mount of our own goes away with the command.
const OWN_MOUNTS = ["--mount", "--propagation", "private", "sh", "-c"];
const ENTER = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';

type Inside = (
  stdin: "ignore" | AsyncIterable<Uint8Array>,
  ...command: readonly string[]
) => Promise<unknown>;

export interface DiskContent {
  readonly loader: Loader;
  /** What the machine boots at first. */
  readonly system: string;
  /** `nix-store --export` of its closure. */
  readonly closure: AsyncIterable<Uint8Array>;
  /** May log in as root. */
  readonly authorizedKey: string;
}

/** Writes the image of a machine of the fleet to `path`. Needs root. */
export async function makeDisk(
  base: Base,
  path: string,
  content: DiskContent,
  signal: AbortSignal,
): Promise<void> {
  const { loader, system } = content;
  await fromBase(base, path, content, signal, async (root, inside) => {
    await inside(content.closure, "nix-store", "--import");
    await inside("ignore", "nix-env", "-p", "/nix/var/nix/profiles/system", "--set", system);
    if (loader === "systemd-boot") {
      await mkdir(join(root, "boot/EFI/BOOT"), { recursive: true });
      await mkdir(join(root, "boot/loader"));
      await copyFile(base.file("systemd-boot.efi"), join(root, "boot/EFI/BOOT/BOOTX64.EFI"));
    }
    const install = "/usr/local/sbin/lab-install-boot-loader";
    await symlink(`lab-install-${loader}`, join(root, install));
    await inside("ignore", install, system);
  });
}

export interface DebianContent {
  readonly authorizedKey: string;
  /** Lines of a networkd `[Network]` section. */
  readonly network: readonly string[];
  readonly kernelParams: readonly string[];
}

/** Writes the image of a plain Debian with GRUB to `path`. Needs root; resolves with its public host key. */
export async function makeDebianDisk(
  base: Base,
  path: string,
  content: DebianContent,
  signal: AbortSignal,
): Promise<string> {
  return fromBase(base, path, { ...content, loader: "grub" }, signal, async (root) => {
    await rm(join(root, "etc/NIXOS"));
    await rm(join(root, "etc/os-release"));
    await symlink("../usr/lib/os-release", join(root, "etc/os-release"));
    await writeFile(join(root, "etc/hostname"), "old-box\n");
    await execa("sh", [join(recipe, "real-network.sh"), root], { cancelSignal: signal });
    const network = ["[Match]", "Type=ether", "[Network]", ...content.network, ""];
    await writeFile(join(root, "etc/systemd/network/10-lab.network"), network.join("\n"));
    for (const part of ["kernel", "initrd"] as const)
      await copyFile(base.file(part), join(root, "boot", part));
    const menu = [
      "search --set=root --label nixos",
      `linux /boot/kernel init=/sbin/init ${content.kernelParams.join(" ")}`,
      "initrd /boot/initrd",
      "boot",
      "",
    ];
    await writeFile(join(root, "boot/grub/grub.cfg"), menu.join("\n"));
  });
}

async function fromBase(
  base: Base,
  path: string,
  machine: { readonly loader: Loader; readonly authorizedKey: string },
  signal: AbortSignal,
  fill: (root: string, inside: Inside) => Promise<void>,
): Promise<string> {
  const root = await mkdtemp(join(dirname(path), "root-"));
  try {
    await execa("tar", ["--extract", "--file", base.file("rootfs.tar"), "--directory", root], {
      cancelSignal: signal,
    });
    await fill(root, (stdin, ...command) =>
      execa("unshare", [...OWN_MOUNTS, ENTER, root, ...command], {
        cancelSignal: signal,
        stdin,
        stdout: "ignore",
      }),
    );
    await mkdir(join(root, "root/.ssh"), { recursive: true, mode: 0o700 });
    await writeFile(join(root, "root/.ssh/authorized_keys"), `${machine.authorizedKey}\n`, { mode: 0o600 });
    const hostKey = join(root, "etc/ssh/ssh_host_ed25519_key");
    for (const kind of ["rsa", "ecdsa", "ed25519"]) {
      for (const end of ["", ".pub"]) {
        await rm(join(root, `etc/ssh/ssh_host_${kind}_key${end}`), { force: true });
      }
    }
    await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", hostKey]);
    await writeDisk(base, machine.loader, root, path, signal);
    return (await execa("cat", [`${hostKey}.pub`])).stdout;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
