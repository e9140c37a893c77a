import { relative } from "node:path";
import { execa, execaSync } from "execa";
import type { App } from "../app.ts";
import { FleetError } from "../errors.ts";
import { type InventoryFiles, loadInventory } from "../inventory/load.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import type { FlakeClosureSource } from "../nix/flake-source.ts";
import type { Systems } from "../operate/changed.ts";

/**
 * What the hosts' systems were at an earlier revision. The inventory of that time counts too, as it is part of every
 * system: it is read from git. A host that was not there, or could not be evaluated then, is missing.
 */
export async function systemsSince(
  app: App,
  inventory: Inventory,
  hosts: readonly Host[],
  since: string,
  source: FlakeClosureSource,
): Promise<Systems> {
  const { signal } = app;
  // A lab's inventory is no part of its systems.
  if (inventory.lab) return lenient(source, hosts, await source.revision(since, { signal }), signal);
  const then = await inventoryAt(app, inventory, since);
  if (then === undefined) {
    app.note(`the inventory of ${since} is not there or not valid: every host counts as changed`);
    return new Map();
  }
  const earlier = await app.closures(then);
  const names = new Set(then.hosts.map((h) => h.name));
  const same = hosts.filter((h) => names.has(h.name));
  const revision = await earlier.revision(since, { signal });
  return "toplevels" in earlier
    ? lenient(earlier as FlakeClosureSource, same, revision, signal)
    : new Map<string, string>();
}

/** Hosts that cannot be evaluated are left out instead of failing the rest. */
async function lenient(
  source: FlakeClosureSource,
  hosts: readonly Host[],
  revision: string,
  signal: AbortSignal,
): Promise<Systems> {
  try {
    return await source.toplevels(hosts, revision, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FleetError) || error.code !== "build-failed") throw error;
    const bad: readonly unknown[] = Array.isArray(error.data?.hosts)
      ? error.data.hosts
      : hosts.map((h) => h.name);
    const rest = hosts.filter((h) => !bad.includes(h.name));
    return rest.length < hosts.length ? lenient(source, rest, revision, signal) : new Map();
  }
}

async function inventoryAt(app: App, inventory: Inventory, since: string): Promise<Inventory | undefined> {
  const { baseDir, files } = inventory;
  const commit = await execa(
    "git",
    ["-C", baseDir, "rev-parse", "--verify", "--end-of-options", `${since}^{commit}`],
    { reject: false, cancelSignal: app.signal },
  );
  if (commit.exitCode !== 0) {
    throw new FleetError("usage", `the inventory's repository has no revision ${since}`, {
      hint: "fetch the whole history, or compare with a file instead: --known systems.json",
    });
  }
  const [only = baseDir] = files;
  const loaded = await loadInventory({
    path: files.length === 1 ? only : baseDir,
    cwd: app.process.cwd,
    env: app.process.env,
    now: app.clock.now(),
    files: gitFiles(baseDir, commit.stdout.trim()),
  }).catch((error: unknown) => {
    if (error instanceof FleetError && error.code === "inventory-not-found") return undefined;
    throw error;
  });
  return loaded?.problems.some((p) => p.severity === "error") ? undefined : loaded?.inventory;
}

/** A commit's files as if they still lay at `baseDir`. */
function gitFiles(baseDir: string, commit: string): InventoryFiles {
  const git = (...args: readonly string[]) =>
    execaSync("git", ["-C", baseDir, ...args], { reject: false, stripFinalNewline: false });
  const place = (path: string) => `${commit}:./${relative(baseDir, path)}`;
  return {
    kind: (path) => {
      const { stdout } = git("cat-file", "-t", place(path));
      return stdout.trim() === "tree" ? "directory" : stdout.trim() === "blob" ? "file" : "missing";
    },
    list: (directory) =>
      git("ls-tree", "--name-only", "-z", place(directory)).stdout.split("\0").filter(Boolean),
    read: (path) => {
      const { exitCode, stdout } = git("cat-file", "blob", place(path));
      if (exitCode !== 0) throw new Error(`not in ${commit}`);
      return stdout;
    },
  };
}
