import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { CiBuilt, Known } from "./ci.ts";

/** What the next run compares with. Hosts this run did not look at stay as they were; hosts that are gone go. */
export function nextKnown({ inventory, revision, now, known }: CiBuilt): Known {
  const names = new Set(inventory.hosts.map((h) => h.name));
  const before = Object.entries(known?.systems ?? {}).filter(([name]) => names.has(name));
  return { revision, systems: { ...Object.fromEntries(before), ...Object.fromEntries(now) } };
}

/** Whole or not at all: somebody may be reading. */
export async function writePublished(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, text);
  await rename(draft, path);
}
