/** Evaluated systems, kept between commands: `plan`, `rollout` and `rollout resume` ask for the same ones. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type BuildOptions, evaluateSystems, type System } from "./build.ts";
import * as commands from "./commands.ts";
import { fingerprint } from "./fingerprint.ts";
import { parsePaths } from "./parse.ts";
import type { NixCall } from "./runner.ts";

const KEEP_MS = 30 * 86_400_000;
const Systems = z.record(z.string(), z.object({ drv: z.string(), out: z.string() }));

/** Like `evaluateSystems`, but a host that was evaluated before with the very same inputs is not evaluated again. */
export async function evaluateRemembered(
  directory: string,
  flake: string,
  hosts: readonly string[],
  o: BuildOptions,
  call: NixCall,
): Promise<ReadonlyMap<string, System>> {
  const key = await keyOf(flake, o, call);
  if (key === null) return evaluateSystems(flake, hosts, o, call);
  const known = await usable(await recall(directory, key), hosts, o, call);
  const fresh = await evaluateSystems(
    flake,
    hosts.filter((host) => !known.has(host)),
    o,
    call,
  );
  if (fresh.size > 0) await remember(directory, key, fresh);
  return new Map(hosts.map((host) => [host, (known.get(host) ?? fresh.get(host)) as System]));
}

/** Null: something the result depends on is not pinned. */
async function keyOf(flake: string, o: BuildOptions, { signal }: NixCall): Promise<string | null> {
  const options = [...o.nixOptions, ...(o.evalOptions ?? [])];
  if (options.includes("--impure")) return null;
  const metadata = await o.run.run(commands.flakeMetadata(flake, options), { signal });
  const inputs = metadata.code === 0 ? fingerprint(metadata.stdout) : null;
  if (inputs === null) return null;
  const { stdout: version } = await o.run.run(commands.version(), { signal });
  return createHash("sha256")
    .update(JSON.stringify([inputs, version, o.nixOptions, o.attribute ?? "toplevel"]))
    .digest("hex");
}

/** Of the remembered ones those that still can be built: garbage collection takes derivations too. */
async function usable(
  known: ReadonlyMap<string, System>,
  hosts: readonly string[],
  o: BuildOptions,
  { signal }: NixCall,
): Promise<ReadonlyMap<string, System>> {
  const wanted = [...known].filter(([host]) => hosts.includes(host));
  if (wanted.length === 0) return new Map();
  const drvs = [...new Set(wanted.map(([, system]) => system.drv))];
  const check = await o.run.run(commands.printInvalid(drvs), { signal });
  const gone = new Set(parsePaths(check.stdout));
  return check.code === 0 ? new Map(wanted.filter(([, system]) => !gone.has(system.drv))) : new Map();
}

/** What is remembered under a key; a file nobody can read counts as none. */
async function recall(directory: string, key: string): Promise<ReadonlyMap<string, System>> {
  try {
    return new Map(Object.entries(Systems.parse(JSON.parse(await readFile(file(directory, key), "utf8")))));
  } catch {
    return new Map();
  }
}

/** Adds to what is there. Of two commands at once one may lose: that costs an evaluation. */
async function remember(directory: string, key: string, systems: ReadonlyMap<string, System>): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const all = { ...Object.fromEntries(await recall(directory, key)), ...Object.fromEntries(systems) };
  const draft = `${file(directory, key)}.${process.pid}.new`;
  await writeFile(draft, JSON.stringify(all));
  await rename(draft, file(directory, key));
  await prune(directory);
}

const file = (directory: string, key: string): string => join(directory, `${key}.json`);

async function prune(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const at = await stat(path).catch(() => null);
    if (at && Date.now() - at.mtimeMs > KEEP_MS) await rm(path, { force: true });
  }
}
