import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

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

/**
 * Writes a whole file or nothing, on the disk when it returns: a power cut leaves the old one or the new one.
 * A missing directory is made with `directoryMode`.
 */
export async function writeWhole(
  path: string,
  text: string,
  mode: number,
  directoryMode = 0o755,
): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: directoryMode });
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, "wx", mode);
    try {
      await file.chmod(mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const handle = await open(directory, "r");
  await handle.sync().finally(() => handle.close());
}
