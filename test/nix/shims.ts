/** Runs one of the flake's shell scripts with stand-ins for the programs it calls. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { FLAKE } from "./nix.ts";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Stage {
  readonly directory: string;
  /** Absolute path of a file on the stage. */
  readonly path: (name: string) => string;
  readonly write: (name: string, text: string) => string;
  /** A program: shell text, its arguments in "$@". Every call is recorded. */
  readonly program: (name: string, body: string) => void;
  /** Calls of a program so far, arguments joined by spaces. */
  readonly calls: () => readonly string[];
  readonly run: (script: string, args?: readonly string[], env?: Record<string, string>) => Outcome;
  readonly exists: (name: string) => boolean;
  readonly read: (name: string) => string;
}

export function stage(): Stage {
  const directory = mkdtempSync(join(tmpdir(), "macula-script-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = (name: string): string => join(directory, name);
  const write = (name: string, text: string): string => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
    return path(name);
  };
  return {
    directory,
    path,
    write,
    program(name, body) {
      const target = name.includes("/") ? name : `bin/${name}`;
      const label = name.split("/").at(-1) ?? name;
      write(target, `#!/bin/sh\necho "${label} $*" >>"${path("calls")}"\n${body}\n`);
      chmodSync(path(target), 0o755);
    },
    calls: () => (existsSync(path("calls")) ? readFileSync(path("calls"), "utf8").trim().split("\n") : []),
    run(script, args = [], env = {}) {
      const run = spawnSync("sh", [join(FLAKE, script), ...args], {
        encoding: "utf8",
        timeout: 60_000,
        env: { PATH: `${path("bin")}:${process.env.PATH ?? ""}`, HOME: directory, ...env },
      });
      return { code: run.status, stdout: run.stdout, stderr: run.stderr };
    },
    exists: (name) => existsSync(path(name)),
    read: (name) => readFileSync(path(name), "utf8"),
  };
}
