/** Values behind `sops:`, `file:`, `env:` and `cmd:` references, read when they are needed and never kept. */
import { readFile } from "node:fs/promises";
import { resolve as resolvePath } from "node:path";
import { execa } from "execa";
import { FleetError } from "../../errors.ts";
import type { SecretRef } from "../../inventory/model.ts";
import { Secret } from "../../kernel/secret.ts";

export interface SecretDeps {
  /** What relative paths refer to. */
  readonly baseDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

type Source = (value: string, deps: SecretDeps) => Promise<string>;

const SOURCES: Readonly<Record<string, Source>> = {
  file: (path, deps) => readFile(resolvePath(deps.baseDir, path), "utf8"),

  async env(name, deps) {
    const value = deps.env[name];
    if (value === undefined || value === "") throw new Error(`the variable ${name} is not set`);
    return value;
  },

  /** The user's own shell line, in the inventory's directory; its stdout is the value and is shown to nobody. */
  cmd: (line, deps) => output("sh", ["-c", line], deps),

  async sops(place, deps) {
    const [file = "", path = ""] = place.split("#");
    const extract = path
      .split(".")
      .map((key) => `["${key}"]`)
      .join("");
    return output("sops", ["--decrypt", "--extract", extract, resolvePath(deps.baseDir, file)], deps);
  },
};

/** Throws `secret-unavailable`: names the reference, never the value. One trailing newline is not part of it. */
export async function resolveSecret(ref: SecretRef, deps: SecretDeps): Promise<Secret> {
  const at = ref.indexOf(":");
  const scheme = ref.slice(0, at);
  const source = Object.hasOwn(SOURCES, scheme) ? SOURCES[scheme] : undefined;
  try {
    if (!source) throw new Error("it is no reference: sops:FILE#path, file:PATH, env:NAME or cmd:COMMAND");
    const value = (await source(ref.slice(at + 1), deps)).replace(/\r?\n$/, "");
    if (value === "") throw new Error("it is empty");
    return new Secret(value);
  } catch (cause) {
    deps.signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : "it cannot be read";
    throw new FleetError(
      "secret-unavailable",
      `the secret ${source ? ref : "of a field"} cannot be had: ${why}`,
      {
        hint:
          scheme === "sops"
            ? "is your age or PGP key there? try: sops --decrypt FILE"
            : "correct the reference in the inventory",
      },
    );
  }
}

async function output(file: string, args: readonly string[], deps: SecretDeps): Promise<string> {
  const result = await execa(file, args, {
    cwd: deps.baseDir,
    env: { ...deps.env },
    extendEnv: false,
    stdin: "ignore",
    stderr: "pipe",
    reject: false,
    cancelSignal: deps.signal,
    timeout: 60_000,
  });
  if (!result.failed) return result.stdout;
  // What it printed may be, or hold, the secret: only how it ended is told.
  if (result.code === "ENOENT") throw new Error(`${file} is not installed`);
  throw new Error(
    result.timedOut ? `${file} did not end within a minute` : `${file} ended with ${result.exitCode}`,
  );
}
