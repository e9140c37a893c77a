import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FleetError } from "../errors.ts";

/** A new directory, ours alone, where this machine keeps temporary things. Its caller removes it. */
export async function temporaryDirectory(prefix: string): Promise<string> {
  const where = tmpdir();
  return mkdtemp(join(where, prefix)).catch((cause: NodeJS.ErrnoException) => {
    throw new FleetError("command-failed", `no temporary directory can be made in ${where}: ${cause.code}`, {
      cause,
      hint: "set TMPDIR to a directory that exists, is writable and has room",
    });
  });
}
