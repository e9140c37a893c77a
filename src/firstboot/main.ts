/** The first-boot wizard's entry; what it is for: docs/firstboot.md. */
import { hostname } from "node:os";
import { execa } from "execa";
import { EXIT, FleetError } from "../errors.ts";
import { systemClock } from "../kernel/clock.ts";
import { machineFacts } from "./facts.ts";
import { readOptions, USAGE } from "./options.ts";
import { createPortal } from "./portal.ts";
import { runFirstboot, writeForSsh } from "./run.ts";

/** stdout is the machine's screen, stderr the journal. */
export async function main(argv: readonly string[]): Promise<void> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort());
  try {
    const options = readOptions(argv);
    if (options.help) {
      process.stdout.write(USAGE);
      return;
    }
    await runFirstboot(options, {
      facts: () => machineFacts(hostname().split(".")[0] ?? "macula-node"),
      portal: createPortal(options.portal),
      clock: systemClock,
      screen: async (text) => {
        process.stdout.write(text);
        await writeForSsh(process.env.RUNTIME_DIRECTORY, text);
      },
      log,
      reboot: async () => {
        await execa("systemctl", ["reboot"], { stdin: "ignore" });
      },
      signal: stop.signal,
    });
  } catch (error) {
    if (!(error instanceof FleetError)) throw error;
    log(`macula-firstboot: ${error.message}${error.hint === undefined ? "" : `\n  ${error.hint}`}`);
    process.exitCode = error.exit;
    return;
  }
  process.exitCode ??= EXIT.ok;
}
