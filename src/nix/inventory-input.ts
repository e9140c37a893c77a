/** Hands the resolved inventory to the flake: as its input `inventory`, a folder with `fleet.json`. */
import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathReference } from "./reference.ts";

const KEEP_MS = 7 * 86_400_000;
/** As everything in the Nix store. */
const ALWAYS = new Date(1000);

/**
 * Writes `json` where Nix can read it and returns the reference of that folder. One folder per content, so that two
 * controllers with two versions of an inventory cannot build each other's; folders nobody used for a week go.
 */
export async function handOver(stateDir: string, json: string): Promise<string> {
  const root = join(stateDir, "flake-inventory");
  const name = createHash("sha256").update(json).digest("hex").slice(0, 16);
  const directory = join(root, name);
  const file = join(directory, "fleet.json");
  if (!(await isFile(file))) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const draft = `${directory}.${process.pid}.new`;
    await writeFile(draft, json);
    // To Nix the time of the newest file is part of an input: the same inventory must not look like another one.
    await utimes(draft, ALWAYS, ALWAYS);
    await rename(draft, file);
  }
  // So the time of use goes where Nix does not look.
  await utimes(directory, new Date(), ALWAYS);
  await prune(root, name);
  return pathReference(directory);
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

async function prune(root: string, keep: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (name === keep) continue;
    const path = join(root, name);
    const at = await stat(path).catch(() => null);
    if (at && Date.now() - at.atimeMs > KEEP_MS) await rm(path, { recursive: true, force: true });
  }
}
