/** The entry: argv in, exit code out; the only place that ends the process. */

import { hostProcess } from "./cli/process.ts";
import { runCli } from "./cli/program.ts";
import { EXIT } from "./errors.ts";

export async function main(argv: readonly string[]): Promise<void> {
  const process = hostProcess();
  let code: number = EXIT.bug;
  try {
    code = await runCli(argv, process);
  } catch (error) {
    const { reportError } = await import("./cli/report.ts");
    code = reportError(error, argv, process);
  }
  // Pipes may still hold what was written: leave only when they are drained.
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  globalThis.process.exit(code);
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) return resolve();
    stream.write("", () => resolve());
  });
}
