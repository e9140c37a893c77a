import { PassThrough } from "node:stream";
import type { Process } from "../../src/app.ts";
import { runCli } from "../../src/cli/program.ts";
import { reportError } from "../../src/cli/report.ts";
import { FleetError } from "../../src/errors.ts";

export interface CliResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliSurroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The first ^C, by the test's hand. */
  readonly interrupt?: AbortSignal;
  /** Sees stdout as it comes. */
  readonly onOutput?: (soFar: string) => void;
  /** The same of stderr. */
  readonly onError?: (soFar: string) => void;
}

/** The program as `main` runs it, in this process: not a terminal, both streams kept. */
export async function cli(argv: readonly string[], o: CliSurroundings = {}): Promise<CliResult> {
  const out = collect(o.onOutput);
  const err = collect(o.onError);
  const drain = new AbortController();
  const abort = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  o.interrupt?.addEventListener("abort", () => drain.abort(new FleetError("interrupted", "interrupted")));
  const process: Process = {
    env: { HOME: o.cwd ?? "/nonexistent", USER: "tester", ...o.env },
    cwd: o.cwd ?? "/nonexistent",
    stdin: Object.assign(new PassThrough(), { isTTY: false }) as unknown as NodeJS.ReadStream,
    stdout: out.stream,
    stderr: err.stream,
    pid: 4711,
    signals: {
      drain: drain.signal,
      abort: abort.signal,
      abortAfter: (ms) => {
        timers.push(setTimeout(() => abort.abort(new FleetError("timeout", "gave up after --timeout")), ms));
      },
    },
  };
  let exit: number;
  try {
    exit = await runCli(argv, process);
  } catch (error) {
    exit = reportError(error, argv, process);
  }
  for (const timer of timers) clearTimeout(timer);
  return { exit, stdout: out.text(), stderr: err.text() };
}

function collect(onText?: (soFar: string) => void) {
  const stream = new PassThrough();
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
    onText?.(text);
  });
  const read = (): string => {
    // What is still in the stream's buffer.
    for (let chunk = stream.read() as Buffer | null; chunk; chunk = stream.read() as Buffer | null)
      text += chunk.toString("utf8");
    return text;
  };
  return { stream: Object.assign(stream, { isTTY: false }) as unknown as NodeJS.WriteStream, text: read };
}
