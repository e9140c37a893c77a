/** The suite needs minutes of processor time, so it runs when asked for. */
import { spawnSync } from "node:child_process";
import { describe } from "vitest";

const TOOLS = [
  "qemu-system-x86_64",
  "mmdebstrap",
  "mkfs.ext4",
  "mkfs.vfat",
  "mcopy",
  "chroot",
  "unshare",
  "cpio",
  "xz",
  "zstd",
  "depmod",
  "nix",
  "git",
  "busybox",
];

/** The real nixos-anywhere, `src/nixos-anywhere.sh` of its repository; empty where there is none. */
export const ANYWHERE = process.env.MACULA_NIXOS_ANYWHERE ?? "";

/** What a suite needs beside a machine. */
interface Needs {
  readonly tools?: readonly string[];
  readonly anywhere?: boolean;
}

function problem({ tools = [], anywhere = false }: Needs): string | null {
  if (process.env.MACULA_VM !== "1") return "set MACULA_VM=1 to run it, it takes up to half an hour";
  if (process.getuid?.() !== 0) return "only root can make the machine's disk";
  if (anywhere && ANYWHERE === "") return "set MACULA_NIXOS_ANYWHERE to nixos-anywhere's script";
  const missing = [...TOOLS, ...tools].filter((tool) => spawnSync("which", [tool]).status !== 0);
  return missing.length === 0 ? null : `${missing.join(", ")} not installed`;
}

/** Skipped with the reason where it cannot run; an error in CI where it was asked for. */
export function onVirtualMachine(name: string, body: () => void, needs: Needs = {}): void {
  const reason = problem(needs);
  if (reason === null) return void describe(name, body);
  if (process.env.CI && process.env.MACULA_VM === "1") throw new Error(`${name} was asked for: ${reason}`);
  console.warn(`skipped: ${name}: ${reason}`);
  describe.skip(`${name} (${reason})`, body);
}
