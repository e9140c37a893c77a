/** The inventory is its user's file: read anew for each change, and replaced whole, so that no edit of theirs is lost. */
import { readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";

export async function editInventory(file: string, change: (text: string) => string): Promise<void> {
  // A link stays one.
  const real = await realpath(file);
  const text = await readFile(real, "utf8");
  const changed = change(text);
  if (changed === text) return;
  const draft = `${real}.${process.pid}.new`;
  try {
    await writeFile(draft, changed, { mode: (await stat(real)).mode, flush: true });
    await rename(draft, real);
  } finally {
    await rm(draft, { force: true });
  }
}
