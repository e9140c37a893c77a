/** Whatever was thrown -> words on stderr and an exit status. */
import type { Process } from "../app.ts";
import { FleetError } from "../errors.ts";
import { describeError } from "../ui/errors.ts";
import { VERSION } from "./version.ts";

export function reportError(error: unknown, argv: readonly string[], process: Process): number {
  // What cancelled the work says more than the cancellation itself.
  const { drain, abort } = process.signals;
  const stopped = abort.aborted ? abort.reason : drain.aborted ? drain.reason : undefined;
  const cause = !(error instanceof FleetError) && stopped instanceof FleetError ? stopped : error;
  const { text, exit } = describeError(cause, {
    color:
      process.stderr.isTTY === true && (process.env.NO_COLOR ?? "") === "" && !argv.includes("--no-color"),
    version: VERSION,
    platform: `${globalThis.process.version} ${globalThis.process.platform} ${globalThis.process.arch}`,
    verbose: argv.includes("-v") || argv.includes("--verbose"),
  });
  process.stderr.write(`${text}\n`);
  if (
    cause instanceof FleetError &&
    (argv.includes("json") || argv.includes("--output=json")) &&
    cause.data
  ) {
    process.stdout.write(
      `${JSON.stringify({ error: { code: cause.code, message: cause.message, hint: cause.hint, ...cause.data } }, null, 2)}\n`,
    );
  }
  return exit;
}
