/** One source's YAML -> canonical names and types, with what cannot be decided or is not known. Pure. */
import { aliasesOf, type Kind, type Shape } from "./aliases.ts";

export type Tree = { [key: string]: unknown };

export interface Oddity {
  /** `maculaos.ntpServers` */
  readonly path: string;
  readonly message: string;
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: unknown): string =>
  typeof value === "string" ? value : value === null || value === undefined ? "" : String(value);

/** Go's coercions: a scalar becomes a list of one, map values become text, a bool text is true only as "true". */
function coerce(kind: Kind, value: unknown, path: string, odd: Oddity[]): unknown {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(kind)) {
    const [shape] = kind as readonly [Shape];
    const list = Array.isArray(value) ? value : [value];
    return list.flatMap((item, i) => (isTree(item) ? [normalise(shape, item, `${path}[${i}]`, odd)] : []));
  }
  switch (kind) {
    case "string":
      return text(value);
    case "number": {
      const number = Number(value);
      if (Number.isFinite(number)) return number;
      odd.push({ path, message: `"${text(value)}" is not a number` });
      return undefined;
    }
    case "bool":
      if (typeof value === "string" && value !== "true" && value !== "false") {
        odd.push({ path, message: `"${value}" counts as false there: only "true" is true` });
      }
      return typeof value === "string" ? value === "true" : value === true;
    case "strings":
      // `runcmd: [[ls, -l]]` of cloud-init is not what k3OS runs, but the words must not get lost.
      return (Array.isArray(value) ? value : [value]).map((v) =>
        Array.isArray(v) ? v.map(text).join(" ") : text(v),
      );
    case "map":
      if (isTree(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, text(v)]));
      odd.push({ path, message: "is not a map" });
      return undefined;
    default:
      if (isTree(value)) return normalise(kind as Shape, value, path, odd);
      odd.push({ path, message: "is not a map" });
      return undefined;
  }
}

/** Two spellings of one field with different values are an oddity: the order of a Go map decided between them. */
export function normalise(shape: Shape, data: Tree, path: string, odd: Oddity[]): Tree {
  const names = aliasesOf(shape);
  const result: Tree = {};
  const spelt = new Map<string, string>();
  for (const [key, raw] of Object.entries(data)) {
    const name = names.get(key);
    const at = path === "" ? key : `${path}.${key}`;
    const kind = name === undefined ? undefined : shape[name];
    if (name === undefined || kind === undefined) {
      odd.push({ path: at, message: "is not a field of k3OS: it had no effect" });
      continue;
    }
    const value = coerce(kind, raw, path === "" ? name : `${path}.${name}`, odd);
    const before = spelt.get(name);
    if (before !== undefined && JSON.stringify(result[name]) !== JSON.stringify(value)) {
      odd.push({
        path: at,
        message: `says something else than "${before}", which is the same field: chance decided`,
      });
      if (key !== name) continue;
    }
    spelt.set(name, key);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

/** Later wins; objects are merged, lists and string maps replaced whole. */
export function mergeTrees(shape: Shape, first: Tree, second: Tree): Tree {
  const result: Tree = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const kind = shape[key];
    const before = result[key];
    const structured = typeof kind === "object" && !Array.isArray(kind);
    result[key] =
      structured && isTree(before) && isTree(value) ? mergeTrees(kind as Shape, before, value) : value;
  }
  return result;
}
