/** Images come from the fleet's flake. The command line is pure; `buildImage` runs it. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { FleetError } from "../errors.ts";
import type { Arch, Host } from "../inventory/model.ts";

export type ImageKind = "iso" | "sdcard";

/** `#packages.x86_64-linux.iso`; with a host, that host's own card: `#legacyPackages.aarch64-linux.hosts.NAME.sdcard`. */
export function imageAttribute(kind: ImageKind, arch: Arch, host?: Pick<Host, "name">): string {
  if (host === undefined) return `packages.${arch}.${kind}`;
  return `legacyPackages.${arch}.hosts."${host.name}".${kind}`;
}

/** Throws `usage` for what cannot be. */
export function archOf(kind: ImageKind, stated: Arch | undefined, host?: Pick<Host, "name" | "arch">): Arch {
  const arch = stated ?? host?.arch ?? (kind === "sdcard" ? "aarch64-linux" : "x86_64-linux");
  if (kind === "sdcard" && arch !== "aarch64-linux")
    throw new FleetError("usage", "SD card images are for aarch64 boards", {
      hint: "for this machine: macula-fleet image build iso",
    });
  if (host !== undefined && kind === "iso")
    throw new FleetError("usage", "the installer ISO is the same for all hosts", {
      hint: "leave --host out",
    });
  return arch;
}

export interface BuildCall {
  readonly flake: string;
  readonly attribute: string;
  /** Inputs of the flake to replace, by name: without the fleet's inventory an image would let strangers in. */
  readonly inputs: Readonly<Record<string, string>>;
  /** A symlink to the result, which keeps it from being collected. */
  readonly link: string;
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

export const buildCommand = (
  call: Pick<BuildCall, "flake" | "attribute" | "inputs" | "link">,
): readonly string[] => [
  ...["--extra-experimental-features", "nix-command flakes"],
  ...["build", `${call.flake}#${call.attribute}`, "--out-link", call.link],
  ...Object.entries(call.inputs).flatMap(([name, url]) => ["--override-input", name, url]),
];

/** The image file. Throws `nix-missing`, `build-failed`. */
export async function buildImage(call: BuildCall): Promise<string> {
  const child = execa("nix", buildCommand(call), {
    cwd: call.cwd,
    cancelSignal: call.signal,
    stdin: "ignore",
    reject: false,
  });
  const tail: string[] = [];
  for await (const line of child.iterable({ from: "stderr" })) {
    tail.push(String(line));
    if (tail.length > 20) tail.shift();
    call.onLine(String(line));
  }
  const result = await child;
  call.signal.throwIfAborted();
  if (result.code === "ENOENT")
    throw new FleetError("nix-missing", "images are built with Nix, which is not on this machine", {
      hint: "install it: https://nixos.org/download",
    });
  if (result.failed) throw buildFailure(call.attribute, tail);
  return imageIn(call.link);
}

function buildFailure(attribute: string, tail: readonly string[]): FleetError {
  const text = tail.join("\n");
  const foreign = /a '([a-z0-9_]+-linux)' .* is required|platform mismatch|required to build/.test(text);
  return new FleetError("build-failed", `${attribute} could not be built: ${tail.at(-1) ?? "no output"}`, {
    hint: foreign
      ? "this machine cannot build for that architecture: set up a remote builder or binfmt emulation"
      : "the lines above say why",
    data: { lines: tail },
  });
}

/** Images lie in `iso/` or `sd-image/` of what was built. */
async function imageIn(link: string): Promise<string> {
  const isImage = (name: string) => /\.(iso|img|img\.zst|raw)$/.test(name);
  for (const dir of [link, join(link, "iso"), join(link, "sd-image")]) {
    const names = await readdir(dir).catch(() => []);
    const name = names.find(isImage);
    if (name !== undefined && (await stat(join(dir, name))).isFile()) return join(dir, name);
  }
  throw new FleetError("build-failed", `${link} holds no image`, {
    hint: "is this attribute of the flake an image?",
  });
}
