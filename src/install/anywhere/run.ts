/** One nixos-anywhere process: its own directory, no stdin, a deadline, and its whole process group ended with it. */
import { rm } from "node:fs/promises";
import { execa } from "execa";
import { FleetError } from "../../errors.ts";
import { temporaryDirectory } from "../../kernel/temporary.ts";
import { diagnose, isDiscouraging, isHopeless, stepOf } from "./progress.ts";

export interface AnywhereRun {
  /** Program and what comes before its own arguments: `["nix", "run", "nixpkgs#nixos-anywhere", "--"]`. */
  readonly program: readonly string[];
  readonly args: readonly string[];
  /** Set over the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly onStep: (step: string) => void;
  /** Every line it prints, steps included. */
  readonly onLine?: (line: string) => void;
}

const REMEMBERED_LINES = 40;
const KILL_AFTER_MS = 3_000;

/** Throws `install-failed` with the cause read from its output, or `tool-missing`. */
export async function runAnywhere(run: AnywhereRun): Promise<void> {
  run.signal.throwIfAborted();
  const cwd = await temporaryDirectory("macula-fleet-anywhere-");
  const lines: string[] = [];
  let step: string | null = null;
  const [file = "nixos-anywhere", ...before] = run.program;
  // `detached` makes it the leader of a group, so that ssh and nix below it end with it, too.
  const child = execa(file, [...before, ...run.args], {
    cwd,
    detached: true,
    cleanup: true,
    stdin: "ignore",
    all: true,
    reject: false,
    buffer: false,
    env: { LC_ALL: "C", SSH_ASKPASS_REQUIRE: "never", TMPDIR: cwd, ...run.env },
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
  let hopeless = false;
  let discouraged = 0;
  let lastWord: NodeJS.Timeout | undefined;
  const stop = () => {
    end("SIGTERM");
    lastWord = setTimeout(() => end("SIGKILL"), KILL_AFTER_MS);
  };
  const deadline = setTimeout(() => {
    late = true;
    stop();
  }, run.deadlineMs);
  run.signal.addEventListener("abort", stop, { once: true });
  try {
    // At once, with nothing awaited in between: what a quick process says would be lost.
    for await (const output of child.iterable({ from: "all" })) {
      const line = String(output);
      lines.push(line);
      if (lines.length > REMEMBERED_LINES) lines.shift();
      run.onLine?.(line);
      const next = stepOf(line);
      if (next !== null) {
        step = next;
        run.onStep(next);
      }
      if (isDiscouraging(line)) discouraged += 1;
      if (!hopeless && isHopeless(step, line, discouraged)) {
        hopeless = true;
        stop();
      }
    }
    const result = await child;
    run.signal.throwIfAborted();
    if (late && !hopeless) throw tooLate(run.deadlineMs, step, lines);
    if (result.code === "ENOENT" || result.code === "EACCES") {
      throw new FleetError("tool-missing", `${file} cannot be run`, {
        hint: "install nixos-anywhere, or name it with --nixos-anywhere PATH",
      });
    }
    if (hopeless || result.exitCode !== 0) {
      const found = diagnose(step, lines);
      throw new FleetError("install-failed", found.message, { hint: found.fix, data: { lines } });
    }
  } finally {
    clearTimeout(deadline);
    run.signal.removeEventListener("abort", stop);
    // Whoever of the group is left (a daemonised ssh) does not outlive the phase.
    end("SIGKILL");
    clearTimeout(lastWord);
    await rm(cwd, { recursive: true, force: true });
  }
}

/** What it was waiting for says more than that it waited: it would do so for ever. */
function tooLate(deadlineMs: number, step: string | null, lines: readonly string[]): FleetError {
  const found = diagnose(step, lines, "waited");
  const after = deadlineMs < 1000 ? `${deadlineMs} ms` : `${Math.round(deadlineMs / 1000)} s`;
  return new FleetError("install-failed", `gave up after ${after}: ${found.message}`, {
    hint: found.fix,
    data: { lines },
  });
}
