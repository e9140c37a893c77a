/** Runs Nix in the tests: evaluation only, against a store that does not exist, so nothing is written anywhere. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe } from "vitest";

export const FLAKE = fileURLToPath(new URL("../../flake", import.meta.url));
export const HERE = fileURLToPath(new URL(".", import.meta.url));
export const FIXTURES = ["homelab", "commons", "retail"] as const;
export const fixture = (name: string): string => join(HERE, "fixtures", `${name}.json`);

export interface NixRun {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** One `nix-instantiate`, offline. `env` adds to an otherwise quiet environment. */
export function instantiate(args: readonly string[], env: Record<string, string> = {}): NixRun {
  const run = spawnSync("nix-instantiate", ["--option", "build-users-group", "", ...args], {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    env: { ...process.env, NIX_REMOTE: "dummy://", NIX_PATH: "", ...env },
  });
  return { ok: run.status === 0, stdout: run.stdout, stderr: run.stderr };
}

/** Evaluates to JSON; the message of a failed evaluation becomes the error's. */
export function evaluate(args: readonly string[], env?: Record<string, string>): unknown {
  const run = instantiate(["--eval", "--strict", "--json", ...args], env);
  if (!run.ok) throw new Error(run.stderr.replace(/\n\(use '--show-trace'.*/s, ""));
  return JSON.parse(run.stdout);
}

/** The message with which an evaluation is refused; fails the test when it is not. */
export function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error("evaluated, but should have been refused");
}

const scratch = mkdtempSync(join(tmpdir(), "macula-nix-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A file that lives as long as the test file that imports this. */
export function temporaryFile(name: string, text: string): string {
  const path = join(mkdtempSync(join(scratch, "f-")), name);
  writeFileSync(path, text);
  return path;
}

/** Every file below `directory` that ends so, absolute, sorted. */
export function filesBelow(directory: string, suffix: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(suffix))
    .map((path) => join(directory, path))
    .sort();
}

export const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

const missing = spawnSync("nix-instantiate", ["--version"]).status !== 0;
if (missing && process.env.CI) throw new Error("these tests need nix-instantiate (Debian: nix-bin)");
if (missing) console.warn("skipped: no nix-instantiate on this machine (Debian: apt-get install nix-bin)");

/** `describe` where there is Nix; elsewhere skipped, with a reason printed, and an error in CI. */
export const describeNix = missing ? describe.skip : describe;
