import { execa } from "execa";
import { FleetError } from "../errors.ts";
import type { NixCommand } from "./commands.ts";

export interface NixCall {
  readonly signal: AbortSignal;
  /** Called per line of stderr (Nix reports progress there). */
  readonly onLine?: (line: string) => void;
}

/** A non-zero `code` is a value. */
export interface NixResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Nix on the controlling machine; a dependency so that tests and labs can replace it. */
export interface NixRunner {
  /** Rejects with `nix-missing` | `tool-missing` when the program is not there. */
  run(command: NixCommand, call: NixCall): Promise<NixResult>;
  /** stdout as it comes; a non-zero exit throws `copy-failed` after the last chunk. */
  stream(command: NixCommand, call: NixCall): AsyncIterable<Uint8Array>;
}

export interface NixRunnerOptions {
  /** Added to this process's environment, for instance `NIX_CONFIG`. */
  readonly env?: Readonly<Record<string, string>>;
}

export function createNixRunner(options: NixRunnerOptions = {}): NixRunner {
  const common = { stdin: "ignore", reject: false } as const;
  // What the operator's environment says comes last: somebody who sets a heap size has a reason.
  const env = (command: NixCommand) => ({ ...command.env, ...process.env, ...options.env, LC_ALL: "C" });
  return {
    async run(command, call) {
      const running = execa(command.file, command.args, {
        ...common,
        env: env(command),
        cancelSignal: call.signal,
        maxBuffer: 256 * 1024 * 1024,
        ...(call.onLine === undefined ? {} : { stderr: passLines(call.onLine) }),
      });
      const { failed, code, exitCode, stdout, stderr, shortMessage } = await running;
      call.signal.throwIfAborted();
      if (failed && code === "ENOENT") throw missing(command.file);
      if (failed && exitCode === undefined)
        return { code: 1, stdout, stderr: stderr || String(shortMessage) };
      return { code: exitCode ?? 1, stdout, stderr };
    },
    async *stream(command, call) {
      const running = execa(command.file, command.args, {
        ...common,
        env: env(command),
        cancelSignal: call.signal,
        buffer: { stdout: false },
      });
      try {
        for await (const chunk of running.iterable({ binary: true })) yield chunk;
      } finally {
        // Reached early when the reader stops: a stream nobody reads would keep the process for ever.
        running.kill();
      }
      const result = await running;
      call.signal.throwIfAborted();
      if (!result.failed) return;
      if (result.code === "ENOENT") throw missing(command.file);
      throw new FleetError("copy-failed", `${command.label}: ${result.stderr.trim() || result.shortMessage}`);
    },
  };
}

function passLines(onLine: (line: string) => void) {
  return function* (line: unknown) {
    onLine(String(line));
    yield line;
  };
}

function missing(file: string): FleetError {
  if (file === "git") {
    return new FleetError("tool-missing", "git is needed to read the fleet's flake", {
      hint: "install git on this machine",
    });
  }
  return new FleetError("nix-missing", `${file} was not found on this machine`, {
    hint: "install Nix 2.8 or newer (nixos.org/download, or apt-get install nix-bin)",
  });
}
