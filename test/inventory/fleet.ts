/** Inventories for tests, from YAML text. */

import type { InventoryFiles, LoadOptions } from "../../src/inventory/load.ts";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import type { Host, Inventory } from "../../src/inventory/model.ts";

export const HEADER = `apiVersion: macula.io/v1
kind: FleetInventory
fleet: {name: test, realm: org.example.test, flake: ./flake}
`;

/** A directory tree as a map of absolute paths to texts. */
export function memoryFiles(tree: Readonly<Record<string, string>>): InventoryFiles {
  const paths = Object.keys(tree);
  return {
    kind: (path) =>
      Object.hasOwn(tree, path)
        ? "file"
        : paths.some((each) => each.startsWith(`${path}/`))
          ? "directory"
          : "missing",
    list: (directory) => [
      ...new Set(
        paths
          .filter((each) => each.startsWith(`${directory}/`))
          .map((each) => each.slice(directory.length + 1).split("/")[0] ?? ""),
      ),
    ],
    read: (path) => {
      const text = tree[path];
      if (text === undefined) throw new Error(`ENOENT ${path}`);
      return text;
    },
  };
}

export function loadTree(tree: Readonly<Record<string, string>>, options: Partial<LoadOptions> = {}) {
  return loadInventory({
    cwd: "/fleet",
    env: { HOME: "/home/op" },
    now: 0,
    files: memoryFiles(tree),
    ...options,
  });
}

/** A valid inventory from its part below the header. */
export async function inventoryOf(text: string): Promise<Inventory> {
  return requireValid(await loadTree({ "/fleet/inventory.yaml": HEADER + text }));
}

export function hostOf(inventory: Inventory, name: string): Host {
  const found = inventory.hosts.find((host) => host.name === name);
  if (found === undefined) throw new Error(`no host ${name}`);
  return found;
}
