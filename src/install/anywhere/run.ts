/** One nixos-anywhere process: its own directory, no stdin, a deadline, and its whole process group ended with it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { FleetError } from "../../errors.ts";
import { diagnose, stepOf } from "./progress.ts";

export interface AnywhereRun {
  /** Program and what comes before its own arguments: `["nix", "run", "nixpkgs#nixos-anywhere", "--"]`. */
  readonly program: readonly string[];
  readonly args: readonly string[];
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly onStep: (step: string) => void;
  readonly onLine?: (line: string) => void;
}

const REMEMBERED_LINES = 40;
const KILL_AFTER_MS = 3_000;

/** Throws `install-failed` with the cause read from its output, or `tool-missing`. */
export async function runAnywhere(run: AnywhereRun): Promise<void> {
  const cwd = await mkdtemp(join(tmpdir(), "macula-fleet-anywhere-"));
  const lines: string[] = [];
  let step: string | null = null;
  const [file = "nixos-anywhere", ...before] = run.program;
  // `detached` makes it the leader of a group, so that ssh and nix below it end with it, too.
  const child = execa(file, [...before, ...run.args], {
    cwd,
    detached: true,
    stdin: "ignore",
    all: true,
    reject: false,
    buffer: false,
    env: { LC_ALL: "C" },
  });
  const end = (signal: NodeJS.Signals) => {
    if (child.pid === undefined) return;
    try {
      globalThis.process.kill(-child.pid, signal);
    } catch {
      // It has ended already.
    }
  };
  let late = false;
  const stop = () => {
    end("SIGTERM");
    setTimeout(() => end("SIGKILL"), KILL_AFTER_MS).unref();
  };
  const deadline = setTimeout(() => {
    late = true;
    stop();
  }, run.deadlineMs);
  run.signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const line of child.iterable({ from: "all" })) {
      lines.push(String(line));
      if (lines.length > REMEMBERED_LINES) lines.shift();
      const next = stepOf(String(line));
      if (next !== null) {
        step = next;
        run.onStep(next);
      } else run.onLine?.(String(line));
    }
    const result = await child;
    run.signal.throwIfAborted();
    if (late) {
      throw new FleetError(
        "install-failed",
        `gave up after ${Math.round(run.deadlineMs / 1000)} s${step ? ` at "${step}"` : ""}`,
        {
          hint: "nixos-anywhere itself would wait for ever; look at the machine's screen, then run the same command again",
          data: { lines },
        },
      );
    }
    if (result.code === "ENOENT") {
      throw new FleetError("tool-missing", `${file} is not there`, {
        hint: "install nixos-anywhere, or name it with --nixos-anywhere PATH",
      });
    }
    if (result.exitCode !== 0) {
      const found = diagnose(step, lines);
      throw new FleetError("install-failed", found.message, { hint: found.fix, data: { lines } });
    }
  } finally {
    clearTimeout(deadline);
    run.signal.removeEventListener("abort", stop);
    await rm(cwd, { recursive: true, force: true });
  }
}
