/** Finds, reads and checks an inventory. The only file here that touches the disk, through `InventoryFiles`. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { FleetError } from "../errors.ts";
import type { SourceFile } from "./documents.ts";
import type { Inventory, Problem } from "./model.ts";
import { type ValidateOptions, validateSources } from "./validate.ts";

/** Reading, as a dependency. All paths are absolute. */
export interface InventoryFiles {
  readonly kind: (path: string) => "file" | "directory" | "missing";
  readonly list: (directory: string) => readonly string[];
  /** UTF-8. Throws when it cannot be read. */
  readonly read: (path: string) => string;
}

export interface LoadOptions extends Partial<Pick<ValidateOptions, "facts" | "purpose" | "validateCheck">> {
  /** `-i`; else `$MACULA_FLEET_INVENTORY`, else `inventory.yaml`, else `inventory/`. */
  readonly path?: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly files?: InventoryFiles;
}

export interface LoadedInventory {
  /** Undefined only when the files cannot be read as an inventory at all. */
  readonly inventory: Inventory | undefined;
  readonly problems: readonly Problem[];
  /** What was read, for code frames. */
  readonly sources: readonly SourceFile[];
}

/**
 * Reads everything and reports everything; does not throw for mistakes in the inventory (see `requireValid`).
 * Throws inventory-not-found when there is none or it cannot be read.
 */
export async function loadInventory(options: LoadOptions): Promise<LoadedInventory> {
  const files = options.files ?? diskFiles;
  const start = findInventory(options, files);
  const directory = files.kind(start) === "directory";
  const baseDir = directory ? start : dirname(start);
  const paths = directory ? yamlFiles(start, files) : [start];
  const sources = paths.map((path): SourceFile => ({ path, text: read(path, files) }));
  const home = options.env.HOME;
  const resolvePath = (path: string): string => {
    if ((path === "~" || path.startsWith("~/")) && home !== undefined) return join(home, path.slice(1));
    return isAbsolute(path) ? path : resolve(baseDir, path);
  };
  const { inventory, problems } = validateSources(sources, {
    ...options,
    baseDir,
    resolvePath,
    secretFile: (path) => {
      const file = resolvePath(path);
      return files.kind(file) === "file" ? tryRead(file, files) : undefined;
    },
  });
  return { inventory, problems, sources };
}

/** The inventory, or `inventory-invalid` with every problem in `data.problems`. */
export function requireValid({ inventory, problems }: LoadedInventory): Inventory {
  const errors = problems.filter(({ severity }) => severity === "error");
  if (inventory !== undefined && errors.length === 0) return inventory;
  const [first] = errors;
  const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
  const where = first?.at === undefined ? "" : `${first.at.file}:${first.at.line}:${first.at.col}: `;
  throw new FleetError(
    "inventory-invalid",
    `the inventory has ${count}; first: ${where}${first?.code} ${first?.message}`,
    {
      hint: "See all of them with: macula-fleet inventory validate",
      data: { problems },
    },
  );
}

function findInventory({ path, cwd, env }: LoadOptions, files: InventoryFiles): string {
  const fromEnv = env.MACULA_FLEET_INVENTORY;
  const stated = path ?? (fromEnv === "" ? undefined : fromEnv);
  if (stated !== undefined) {
    const found = resolve(cwd, stated);
    if (files.kind(found) !== "missing") return found;
    const where = path === undefined ? " (from $MACULA_FLEET_INVENTORY)" : "";
    throw new FleetError("inventory-not-found", `no inventory at ${stated}${where}`, {
      hint: "Start one with: macula-fleet init",
    });
  }
  for (const name of ["inventory.yaml", "inventory"]) {
    const found = join(cwd, name);
    if (files.kind(found) !== "missing") return found;
  }
  throw new FleetError("inventory-not-found", `no inventory.yaml and no inventory/ in ${cwd}`, {
    hint: "Name one with -i PATH, or start one with: macula-fleet init",
  });
}

function yamlFiles(directory: string, files: InventoryFiles): readonly string[] {
  const names = files.list(directory).filter((name) => /^[^.].*\.ya?ml$/.test(basename(name)));
  if (names.length === 0) {
    throw new FleetError("inventory-not-found", `no *.yaml file in ${directory}`, {
      hint: "Start an inventory with: macula-fleet init",
    });
  }
  return [...names]
    .sort()
    .map((name) => join(directory, name))
    .filter((path) => files.kind(path) === "file");
}

function read(path: string, files: InventoryFiles): string {
  try {
    return files.read(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FleetError("inventory-not-found", `cannot read ${path}: ${reason}`, { cause });
  }
}

function tryRead(path: string, files: InventoryFiles): string | undefined {
  try {
    return files.read(path);
  } catch {
    return undefined;
  }
}

export const diskFiles: InventoryFiles = {
  kind: (path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? "missing" : stats.isDirectory() ? "directory" : "file";
  },
  list: (directory) => readdirSync(directory),
  read: (path) => readFileSync(path, "utf8"),
};
