/** One inventory from one or many files: maps of named things are joined, everything else may be said once. */
import type { ParsedFile } from "./documents.ts";
import { error, type Finding, formatPath, type Path } from "./findings.ts";
import type { Problem, SourcePosition } from "./model.ts";

interface Combined {
  readonly value: Record<string, unknown>;
  readonly locate: (path: Path, point?: "key") => SourcePosition | undefined;
  readonly problems: readonly Problem[];
}

/** Top-level maps whose entries may be spread over files. */
const NAMED = new Set(["bastions", "clusters", "sites", "groups", "hosts", "roles"]);
/** Every file may repeat these, equal. */
const HEADER = new Set(["apiVersion", "kind"]);

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function combine(files: readonly ParsedFile[]): Combined {
  const value: Record<string, unknown> = {};
  const owners = new Map<string, ParsedFile>();
  const lists = new Map<string, { file: ParsedFile; index: number }[]>();
  const problems: Problem[] = [];
  const owner = (path: Path): ParsedFile | undefined => owners.get(formatPath(path));
  const twice = (file: ParsedFile, first: ParsedFile, path: Path) => {
    const at = first.locate(path, "key");
    problems.push({
      ...place(error("E003", path, `"${path.at(-1)}" is also in ${at.file}:${at.line}`)),
      fix: "Keep one of them.",
      at: file.locate(path, "key"),
    });
  };

  for (const file of files) {
    if (file.value === null || file.value === undefined) continue;
    if (!isRecord(file.value)) {
      const found = Array.isArray(file.value) ? "a list" : "a single value";
      problems.push({
        ...place(error("E002", [], `an inventory is a map of keys, this file holds ${found}`)),
        at: file.locate([]),
      });
      continue;
    }
    for (const [key, part] of Object.entries(file.value)) {
      const first = owner([key]);
      if (first === undefined) owners.set(formatPath([key]), file);
      if (Array.isArray(part) && key === "checks") {
        value[key] ??= [];
        const list = value[key];
        const places = lists.get(key) ?? [];
        if (Array.isArray(list)) list.push(...part);
        lists.set(key, [...places, ...part.map((_, index) => ({ file, index }))]);
      } else if (NAMED.has(key) && isRecord(part)) {
        value[key] ??= {};
        const map = value[key];
        if (!isRecord(map)) continue;
        for (const [name, entry] of Object.entries(part)) {
          const other = owner([key, name]);
          if (other !== undefined) twice(file, other, [key, name]);
          else define(map, name, entry);
          owners.set(formatPath([key, name]), other ?? file);
        }
      } else if (first === undefined) {
        define(value, key, part);
      } else if (!HEADER.has(key) || value[key] !== part) {
        twice(file, first, [key]);
      }
    }
  }

  return {
    value,
    problems,
    locate: (path, point) => {
      const item = typeof path[1] === "number" ? lists.get(String(path[0]))?.[path[1]] : undefined;
      if (item) return item.file.locate([...path.slice(0, 1), item.index, ...path.slice(2)], point);
      const file = owner(path.slice(0, 2)) ?? owner(path.slice(0, 1)) ?? files[0];
      return file?.locate(path, point);
    },
  };
}

function place(finding: Finding): Problem {
  return {
    code: finding.code,
    severity: finding.severity,
    path: formatPath(finding.path),
    message: finding.message,
  };
}

/** Like assignment, but `__proto__` stays an ordinary (and then refused) key. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}
