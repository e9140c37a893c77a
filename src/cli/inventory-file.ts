/** The inventory is its user's file: read anew for each change, and replaced whole, so that no edit of theirs is lost. */
import { readFile, realpath, stat } from "node:fs/promises";
import { writeWhole } from "../kernel/write-whole.ts";

export async function editInventory(file: string, change: (text: string) => string): Promise<void> {
  // A link stays one.
  const real = await realpath(file);
  const text = await readFile(real, "utf8");
  const changed = change(text);
  if (changed === text) return;
  await writeWhole(real, changed, (await stat(real)).mode & 0o7777);
}
