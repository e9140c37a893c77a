/** A node's files -> what the inventory says of it, and what a person has to decide. Pure. */

import { isTree, type Tree } from "./config/normalise.ts";
import { readConfig } from "./config/read.ts";
import { type NeedsHuman, type NodeView, needs, type SecretFile } from "./contribution.ts";
import { MAPPINGS } from "./map/index.ts";
import type { NodeFiles } from "./node-files.ts";
import { LIVE } from "./read/live.ts";

export interface Imported {
  readonly name: string;
  /** `{clusters, hosts: {NAME: …}}`: a part of an inventory, without a secret in it. */
  readonly fragment: { readonly clusters: Tree; readonly hosts: Readonly<Record<string, Tree>> };
  readonly realm: string | null;
  readonly secrets: readonly SecretFile[];
  readonly needsHuman: readonly NeedsHuman[];
  readonly notes: readonly string[];
  /** Where its configuration came from, in merge order. */
  readonly sources: readonly string[];
}

export interface ImportOptions {
  /** Host key to use instead of the node's own name. */
  readonly name?: string;
  readonly address?: string;
}

export function importNode(files: NodeFiles, options: ImportOptions = {}): Imported {
  const { config, wizard, sources, oddities } = readConfig(files);
  const human: NeedsHuman[] = [];
  const own = ownName(files, config.hostname);
  const stated = options.name ?? own;
  const name = hostKey(stated ?? "unnamed");
  if (stated === null)
    human.push(
      needs(
        "name",
        "the node's name is not in these files",
        "read it on the node (hostname) and name it: --as NAME; it is its name in the cluster, too",
      ),
    );
  if (options.address === undefined)
    human.push(needs("address", "its address is not in these files", "set address"));
  const view: NodeView = {
    name,
    address: options.address ?? null,
    files,
    config,
    os: config.maculaos ?? {},
    wizard,
  };

  let host: Tree = {
    ...(options.address === undefined ? {} : { address: options.address }),
    user: "macula",
    // The cluster knows the node by exactly this name.
    ...(own !== null && own !== name ? { k3s: { nodeName: own } } : {}),
  };
  let clusters: Tree = {};
  let realm: string | null = null;
  const secrets: SecretFile[] = [];
  const notes: string[] = [];
  for (const { map } of MAPPINGS) {
    const part = map(view);
    host = join(host, part.host ?? {});
    clusters = join(clusters, part.clusters ?? {});
    realm ??= part.realm ?? null;
    secrets.push(...(part.secrets ?? []));
    human.push(...(part.human ?? []));
    notes.push(...(part.notes ?? []));
  }
  human.push(
    ...oddities.map(({ path, message }) =>
      needs(
        "configuration",
        `${path}: ${message}`,
        "decide what was meant; what is written here is what the node used, where that is certain",
      ),
    ),
  );
  return {
    name,
    fragment: { clusters, hosts: { [name]: withoutEmpty(host) } },
    realm,
    secrets,
    needsHuman: human,
    notes,
    sources,
  };
}

/** The live name first: without one in the configuration k3OS made it up by chance and wrote it down. */
function ownName(files: NodeFiles, configured: string | undefined): string | null {
  for (const text of [
    files.text(LIVE.hostname),
    configured,
    files.text("/var/lib/maculaos/hostname"),
    files.text("/etc/hostname"),
  ]) {
    const name = text?.trim();
    if (name && name !== "localhost") return name;
  }
  return null;
}

const hostKey = (name: string): string =>
  name
    .toLowerCase()
    .replace(/\..*$/, "")
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63) || "unnamed";

function join(first: Tree, second: Tree): Tree {
  const result: Tree = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const before = result[key];
    result[key] = isTree(before) && isTree(value) ? join(before, value) : value;
  }
  return result;
}

function withoutEmpty(tree: Tree): Tree {
  const result: Tree = {};
  for (const [key, value] of Object.entries(tree)) {
    const kept = isTree(value) ? withoutEmpty(value) : value;
    if (isTree(kept) && Object.keys(kept).length === 0) continue;
    result[key] = kept;
  }
  return result;
}
