/** Which keys would have been right at a path; read from the JSON Schema, so it cannot disagree with it. */
import type { Path } from "../findings.ts";
import { inventoryJsonSchema } from "../schema.ts";

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;

/** Tells the known keys of the map at a path; empty when it is open or unknown. Generates the schema at first use. */
export function keyFinder(): (path: Path) => readonly string[] {
  let root: Node | undefined;
  return (path) => {
    root ??= inventoryJsonSchema();
    return knownKeys(root, path);
  };
}

function knownKeys(root: Node, path: Path): readonly string[] {
  const follow = (node: unknown): Node[] => {
    if (!isNode(node)) return [];
    if (typeof node.$ref === "string") {
      let target: unknown = root;
      for (const part of node.$ref.split("/").slice(1)) target = isNode(target) ? target[part] : undefined;
      return follow(target);
    }
    const options = [node.anyOf, node.allOf].filter(Array.isArray).flat();
    return options.length > 0 ? options.flatMap(follow) : [node];
  };
  let nodes = follow(root);
  for (const part of path) {
    nodes = nodes.flatMap((node) => {
      if (typeof part === "number") return follow(node.items);
      const properties = isNode(node.properties) ? node.properties : {};
      return follow(Object.hasOwn(properties, part) ? properties[part] : node.additionalProperties);
    });
  }
  return nodes.flatMap((node) => (isNode(node.properties) ? Object.keys(node.properties) : []));
}
