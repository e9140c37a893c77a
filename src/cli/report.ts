/** Whatever was thrown -> words on stderr and an exit status. */
import type { Process } from "../app.ts";
import { FleetError, toFailure } from "../errors.ts";
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
  const format = formatOf(argv);
  if (format !== null) {
    const { code, message, hint } = toFailure(cause);
    const data = cause instanceof FleetError ? cause.data : undefined;
    const body = { error: { code, message, ...(hint === undefined ? {} : { hint }), exit, ...data } };
    process.stdout.write(`${JSON.stringify(body, null, format === "json" ? 2 : undefined)}\n`);
  }
  return exit;
}

/** As far as it can be told when the arguments may be what is wrong. */
function formatOf(argv: readonly string[]): "json" | "ndjson" | null {
  for (const [i, word] of argv.entries()) {
    if (word === "--") return null;
    const value =
      word === "-o" || word === "--output" ? argv[i + 1] : /^(?:--output=|-o=?)(\w+)$/.exec(word)?.[1];
    if (value === "json" || value === "ndjson") return value;
  }
  return null;
}
