/** The machine's file system, kernel and boot loader, from Debian packages alone: built once, kept per recipe. */
import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { systemClock } from "../../src/kernel/clock.ts";
import { debianMirror } from "../../src/lab/docker/image.ts";
import { withLock } from "../../src/lab/docker/lock.ts";

export const recipe = fileURLToPath(new URL("./image", import.meta.url));
const SUITE = "trixie";

type BaseFile =
  | ("rootfs.tar" | "kernel" | "initrd" | "version" | "boot.img" | "core.img" | "systemd-boot.efi")
  | ("installer" | "kexec.tar" | "boot_hybrid.img" | "eltorito.img" | "bootx64.efi");

/** Files of a base: boot loaders, the kernel and its `version`, the `installer`'s initrd and the `kexec` that starts it. */
export interface Base {
  file(name: BaseFile): string;
}

/** Needs root, mmdebstrap, cpio, xz and kmod for a build, which takes some minutes. Rejects with the builder's last lines. */
export async function ensureBase(signal: AbortSignal): Promise<Base> {
  const dir = join(tmpdir(), `macula-fleet-vm-${await recipeHash()}`);
  const made = () =>
    access(dir).then(
      () => true,
      () => false,
    );
  if (!(await made())) {
    await withLock(`${dir}.lock`, { signal, clock: systemClock }, async () => {
      if (!(await made())) await build(dir, signal);
    });
  }
  return { file: (name) => join(dir, name) };
}

async function recipeHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(recipe)).sort()) {
    const content = await readFile(join(recipe, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex").slice(0, 12);
}

async function build(dir: string, signal: AbortSignal): Promise<void> {
  const out = await mkdtemp(`${dir}.`);
  try {
    const packages = (await readFile(join(recipe, "packages.txt"), "utf8")).trim().split("\n");
    const hook = `'${join(recipe, "customize.sh")}' "$1" '${recipe}' '${out}'`;
    await mkdir(out, { recursive: true });
    const built = await execa(
      "mmdebstrap",
      [
        ...["--mode=root", "--variant=minbase", "--format=tar", `--include=${packages.join(",")}`],
        ...['--aptopt=Apt::Install-Recommends "false"', `--customize-hook=${hook}`],
        ...["doc", "man", "locale", "info"].map((d) => `--dpkgopt=path-exclude=/usr/share/${d}/*`),
        ...[SUITE, join(out, "rootfs.tar"), await debianMirror(signal)],
      ],
      { cancelSignal: signal, stdin: "ignore", reject: false },
    );
    if (built.failed) {
      const said = built.stderr.trim().split("\n").slice(-20).join("\n");
      throw new Error(`building the machine's file system failed:\n${said}`);
    }
    await rename(out, dir);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}
