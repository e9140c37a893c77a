import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import type { Clock } from "../../kernel/clock.ts";

/** Runs `work` while this process alone holds `path`; a lock whose owner has died is taken over. */
export async function withLock<T>(
  path: string,
  o: { readonly signal: AbortSignal; readonly clock: Clock },
  work: () => Promise<T>,
): Promise<T> {
  while (!(await acquire(path))) await o.clock.sleep(500, o.signal);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string): Promise<boolean> {
  // Linking makes the lock appear together with its owner, so nobody ever reads an empty one.
  const mine = `${path}.${randomUUID()}`;
  await writeFile(mine, String(process.pid));
  try {
    await link(mine, path);
    return true;
  } catch (error) {
    if (!isExisting(error)) throw error;
    const owner = Number(await readFile(path, "utf8").catch(() => ""));
    if (owner > 0 && owner !== process.pid && !isAlive(owner)) await rm(path, { force: true });
    return false;
  } finally {
    await rm(mine, { force: true });
  }
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
