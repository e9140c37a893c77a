import { execa } from "execa";
import { FleetError } from "../../errors.ts";

export interface EngineCall {
  readonly signal: AbortSignal;
  /** What `docker` reads from stdin. */
  readonly input?: string | AsyncIterable<Uint8Array>;
  /** Deadline in ms, default 60 000. */
  readonly timeoutMs?: number;
}

/** The container engine, driven through its command line; a dependency so that tests can replace it. */
export interface Engine {
  /** Runs `docker ARGS` and resolves to trimmed stdout; `lab-failed` with the engine's own words otherwise. */
  run(args: readonly string[], call: EngineCall): Promise<string>;
}

/** The `docker` found in PATH; honours `DOCKER_HOST`. */
export const dockerCli: Engine = {
  async run(args, call) {
    const result = await execa("docker", args, {
      cancelSignal: call.signal,
      timeout: call.timeoutMs ?? 60_000,
      reject: false,
      maxBuffer: 64 * 1024 * 1024,
      ...stdin(call.input),
    });
    call.signal.throwIfAborted();
    if (result.failed) throw engineFailure(args, result);
    return result.stdout.trim();
  },
};

function stdin(input: EngineCall["input"]) {
  if (input === undefined) return { stdin: "ignore" } as const;
  return typeof input === "string" ? ({ input } as const) : ({ stdin: input } as const);
}

interface EngineResult {
  readonly code?: string | undefined;
  readonly stderr: string;
  readonly shortMessage?: string | undefined;
}

function engineFailure(args: readonly string[], result: EngineResult): FleetError {
  if (result.code === "ENOENT") {
    return new FleetError("tool-missing", "the container engine's command line (docker) is not installed", {
      hint: "apt-get install docker.io, or use `lab up --backend sim`",
    });
  }
  const said = result.stderr.trim().split("\n").slice(-5).join("\n") || (result.shortMessage ?? "");
  const down = /Cannot connect to the Docker daemon/i.test(said);
  return new FleetError("lab-failed", `docker ${args[0] ?? ""} failed: ${said}`, {
    ...(down ? { hint: "start the engine (scripts/ci/engine.sh does), or use `lab up --backend sim`" } : {}),
  });
}

/** Why containers cannot be used here, or null when they can. */
export async function engineProblem(engine: Engine, signal: AbortSignal): Promise<string | null> {
  try {
    await engine.run(["version", "--format", "{{.Server.Version}}"], { signal, timeoutMs: 10_000 });
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}
