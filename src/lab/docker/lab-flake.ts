import { chmod, copyFile, cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { FleetError } from "../../errors.ts";
import type { Arch } from "../../inventory/model.ts";
import { createFlakeClosureSource, type FlakeClosureSource } from "../../nix/flake-source.ts";
import { createNixRunner } from "../../nix/runner.ts";
import type { ReleaseFile } from "./flake-release.ts";

const template = fileURLToPath(new URL("./flake", import.meta.url));

export interface LabFlakeHost {
  readonly name: string;
  readonly arch: Arch;
}

/** Makes the lab's flake in `directory` (a git repository of its own) for these hosts. Throws `tool-missing`. */
export async function createLabFlake(
  directory: string,
  hosts: readonly LabFlakeHost[],
  signal: AbortSignal,
): Promise<void> {
  await mkdir(join(directory, "bin"), { recursive: true });
  await cp(template, directory, { recursive: true });
  const busybox = join(directory, "bin", "busybox");
  await copyFile("/bin/busybox", busybox).catch((cause: unknown) => {
    throw new FleetError("tool-missing", "a static busybox is needed to build the lab's systems", {
      hint: "apt-get install busybox-static",
      cause,
    });
  });
  await chmod(busybox, 0o755);
  await writeFile(join(directory, "fleet.json"), `${JSON.stringify({ hosts }, null, 2)}\n`);
  await git(directory, ["init", "--quiet"], signal);
}

/** Commits a release and tags it with its name; the head of the flake is the last one. */
export async function commitRelease(
  directory: string,
  release: ReleaseFile,
  signal: AbortSignal,
): Promise<void> {
  await writeFile(join(directory, "release.json"), `${JSON.stringify(release, null, 2)}\n`);
  await git(directory, ["add", "--all"], signal);
  await git(
    directory,
    ["commit", "--quiet", "--allow-empty", "--message", `Release ${release.name}`],
    signal,
  );
  await git(directory, ["tag", "--force", release.name], signal);
}

/** Names of the releases in the order they were made; the last one is the flake's head. */
export async function releaseNames(directory: string, signal: AbortSignal): Promise<readonly string[]> {
  const tags = ["--decorate-refs=refs/tags/*", "--simplify-by-decoration", "--format=%D"];
  const said = await git(directory, ["log", "--reverse", ...tags], signal);
  return [...said.matchAll(/tag: ([^,\n]+)/g)].map((match) => match[1] ?? "");
}

async function git(directory: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  // The user's own git configuration (signing, hooks, templates) has no say in a lab.
  const settings = ["user.name=lab", "user.email=lab@lab.invalid", "core.hooksPath=/dev/null"];
  const env = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null", LC_ALL: "C" };
  const options = settings.flatMap((setting) => ["-c", setting]);
  const result = await execa("git", ["-C", directory, ...options, ...args], {
    cancelSignal: signal,
    env,
    reject: false,
  });
  signal.throwIfAborted();
  if (!result.failed) return result.stdout;
  if (result.code === "ENOENT") {
    throw new FleetError("tool-missing", "git is needed for the lab's flake", {
      hint: "apt-get install git",
    });
  }
  throw new FleetError("lab-failed", `git ${args[0] ?? ""} failed in ${directory}: ${result.stderr.trim()}`);
}

/** Nix as a lab uses it: no substituters, no sandbox, and as root without build users. */
export const LAB_NIX_CONFIG = [
  "experimental-features = nix-command flakes",
  "substituters =",
  "sandbox = false",
  "build-users-group =",
  "warn-dirty = false",
].join("\n");

/** The systems of the lab's flake in `directory`, built by this machine's Nix without a network. */
export function createLabClosureSource(directory: string): FlakeClosureSource {
  const run = createNixRunner({ env: { NIX_CONFIG: LAB_NIX_CONFIG } });
  return createFlakeClosureSource({ flakeRef: directory, baseDir: directory, run });
}
