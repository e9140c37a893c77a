/**
 * Every Nix and git command of the controlling machine, as data. Pure.
 * Only what Nix 2.8 to 2.34 share: no `--print-out-paths`, no `drv^out`; `nix-store` wherever it will do.
 */

export interface NixCommand {
  readonly file: "nix" | "nix-store" | "git";
  readonly args: readonly string[];
  /** Short name for errors; never contains parameters. */
  readonly label: string;
  readonly env?: Readonly<Record<string, string>>;
}

const FEATURES = ["--extra-experimental-features", "nix-command flakes"];

const nix = (label: string, ...args: readonly string[]): NixCommand => ({
  file: "nix",
  args: [...FEATURES, ...args],
  label,
});

const nixStore = (label: string, ...args: readonly string[]): NixCommand => ({
  file: "nix-store",
  args,
  label,
});

const git = (label: string, directory: string, ...args: readonly string[]): NixCommand => ({
  file: "git",
  args: ["-C", directory, ...args],
  label,
});

export const version = (): NixCommand => ({ file: "nix", args: ["--version"], label: "nix --version" });

export interface EvaluateOptions {
  readonly options?: readonly string[];
  readonly attribute?: "toplevel" | "diskoScript";
  /** See `Spread.heapBytes`. */
  readonly heapBytes?: number;
}

/** Evaluates many hosts in one process: `{"node-01": {"drv": …, "out": …} | null}`, null when the flake lacks the host. */
export function evaluate(flake: string, hosts: readonly string[], o: EvaluateOptions = {}): NixCommand {
  const { options = [], attribute = "toplevel", heapBytes } = o;
  const names = hosts.map(nixString).join(" ");
  const apply = [
    "all: builtins.listToAttrs (map (name: { inherit name; value =",
    `if builtins.hasAttr name all then let top = (builtins.getAttr name all).config.system.build.${attribute};`,
    `in { drv = top.drvPath; out = top.outPath; } else null; }) [ ${names} ])`,
  ].join(" ");
  const command = nix(
    "nix eval",
    "eval",
    ...options,
    "--no-write-lock-file",
    "--json",
    `${flake}#nixosConfigurations`,
    "--apply",
    apply,
  );
  // Until it is full nothing is collected, which saves a third of the time: all there is to collect is collected at the end.
  return heapBytes === undefined ? command : { ...command, env: { GC_INITIAL_HEAP_SIZE: String(heapBytes) } };
}

/** A Nix string literal: no interpolation, no escapes left. */
export function nixString(text: string): string {
  return `"${text.replace(/[\\"]|\$(?=\{)/g, "\\$&")}"`;
}

/** Builds derivations, going on with the others when one fails; prints their outputs. */
export const realise = (derivations: readonly string[], options: readonly string[] = []): NixCommand =>
  nixStore("nix-store --realise", "--realise", "--keep-going", "--no-gc-warning", ...options, ...derivations);

/** Prints those of `paths` that are not (completely) in the local store. */
export const printInvalid = (paths: readonly string[]): NixCommand =>
  nixStore("nix-store --check-validity", "--check-validity", "--print-invalid", ...paths);

/** The closure of `paths`, dependencies first. */
export const requisites = (paths: readonly string[]): NixCommand =>
  nixStore("nix-store --query", "--query", "--requisites", ...paths);

/** NAR sizes (and with `closure` the closures' sizes) of `paths`; `recursive`: of everything they need. */
export function pathInfo(
  paths: readonly string[],
  o: { readonly recursive?: boolean; readonly closure?: boolean } = {},
): NixCommand {
  const flags = [...(o.recursive ? ["--recursive"] : []), ...(o.closure ? ["--closure-size"] : [])];
  return nix("nix path-info", "path-info", "--offline", "--json", ...flags, ...paths);
}

export const exportPaths = (paths: readonly string[]): NixCommand =>
  nixStore("nix-store --export", "--export", ...paths);

export const diffClosures = (before: string, after: string): NixCommand =>
  nix("nix store diff-closures", "store", "diff-closures", "--offline", before, after);

/** Uploads closures to a store URL: a binary cache (`file://`, `s3://`) or a host (`ssh-ng://`). */
export const copyTo = (url: string, paths: readonly string[]): NixCommand =>
  nix("nix copy", "copy", "--to", url, ...paths);

export const flakeMetadata = (flake: string, options: readonly string[] = []): NixCommand =>
  nix("nix flake metadata", "flake", "metadata", ...options, "--no-write-lock-file", "--json", flake);

/** Two lines: top of the work tree, and the directory's place in it (`sub/` or empty). */
export const gitPlace = (directory: string): NixCommand =>
  git("git rev-parse", directory, "rev-parse", "--show-toplevel", "--show-prefix");

export const gitCommit = (directory: string, revision: string): NixCommand =>
  git("git rev-parse", directory, "rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`);

/** Changes Nix would see: tracked files only. */
export const gitChanges = (directory: string): NixCommand =>
  git("git status", directory, "status", "--porcelain", "--untracked-files=no");
