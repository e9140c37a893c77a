import { execa } from "execa";
import { FleetError } from "../errors.ts";
import type { Command } from "../kernel/shell.ts";
import { Capture, DEFAULT_MAX_OUTPUT, heldBack } from "./output.ts";
import { feed } from "./stdin.ts";
import type { Completed, RunOptions, Session, Transport } from "./transport.ts";

export interface LocalTransportDeps {
  /** The whole environment of the commands. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** This machine as a host: for `localhost` and for tests. Targets are not looked at. */
export function createLocalTransport(deps: LocalTransportDeps): Transport {
  return {
    async open(target, { signal }) {
      signal.throwIfAborted();
      return new LocalSession(target.name, deps);
    },
  };
}

class LocalSession implements Session {
  readonly hostKeyFingerprint = "local";
  readonly #name: string;
  readonly #deps: LocalTransportDeps;
  readonly #closing = new AbortController();

  constructor(name: string, deps: LocalTransportDeps) {
    this.#name = name;
    this.#deps = deps;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async run(command: Command, options: RunOptions): Promise<Completed> {
    options.signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const { onLine, maxOutput = DEFAULT_MAX_OUTPUT, timeoutMs } = options;
    // A process group of its own, so that stopping the shell also stops what it started.
    const child = execa("sh", ["-c", command.line], {
      env: this.#deps.env,
      extendEnv: false,
      detached: true,
      reject: false,
      buffer: false,
      ...(this.#deps.cwd === undefined ? {} : { cwd: this.#deps.cwd }),
    });
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(() => undefined);
    const stop = (reason: unknown) => {
      if (child.pid !== undefined) killGroup(child.pid);
      stopped.reject(reason);
    };
    const guard = (action: () => void) => {
      try {
        action();
      } catch (error) {
        stop(error);
      }
    };
    const until = AbortSignal.any([options.signal, this.#closing.signal]);
    const onAbort = () => stop(until.reason);
    until.addEventListener("abort", onAbort, { once: true });
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => stop(this.#late(command, timeoutMs)), timeoutMs);

    const stdout = new Capture(maxOutput, onLine && ((line) => onLine(line, "stdout")));
    const stderr = new Capture(maxOutput, onLine && ((line) => onLine(line, "stderr")));
    const raw = options.onStdout && heldBack(child.stdout, options.onStdout, stop);
    child.stdout.on("data", (chunk: Buffer) => (raw ? raw.push(chunk) : guard(() => stdout.push(chunk))));
    child.stderr.on("data", (chunk: Buffer) => guard(() => stderr.push(chunk)));
    child.stdin.on("error", () => undefined); // EPIPE: a command may end without reading its input
    try {
      const fed = feed(
        child.stdin,
        command.stdin,
        new Promise((resolve) => child.stdin.once("close", resolve)),
      );
      fed.catch(stop);
      const result = await Promise.race([child, stopped.promise]);
      await raw?.done();
      if (result.exitCode === undefined && result.signal === undefined) {
        throw new FleetError("connection-lost", `${this.#name}: ${command.label} could not be started here`, {
          cause: result,
        });
      }
      return {
        code: result.exitCode ?? null,
        ...(result.signal === undefined ? {} : { signal: result.signal }),
        stdout: stdout.end(),
        stderr: stderr.end(),
      };
    } finally {
      clearTimeout(timer);
      until.removeEventListener("abort", onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new FleetError("connection-lost", `${this.#name}: session closed`));
  }

  #late(command: Command, afterMs: number): FleetError {
    return new FleetError(
      "command-timeout",
      `${this.#name}: ${command.label}: not done within ${afterMs / 1000} s`,
    );
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // Already gone.
  }
}
