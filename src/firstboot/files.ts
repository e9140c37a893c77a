import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Where a machine keeps what it is: `/var/lib/maculaos` by default. */
export interface StatePaths {
  /** Its presence means: paired, or installed by the fleet. Holds the time, RFC 3339. */
  readonly marker: string;
  readonly identity: string;
  readonly credentials: string;
  /** An inventory entry for the operator; the machine never changes its own configuration. */
  readonly proposal: string;
}

export function statePaths(directory: string): StatePaths {
  return {
    marker: join(directory, ".configured"),
    identity: join(directory, "identity.json"),
    credentials: join(directory, "credentials", "portal.json"),
    proposal: join(directory, "proposal.yaml"),
  };
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}

/** The text, or null when there is no such file. */
export async function readIfThere(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
}
