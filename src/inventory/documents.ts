/** YAML text -> plain data, plus "where is this field written?". Pure: the text is given. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
} from "yaml";
import { formatPath, type Path } from "./findings.ts";
import type { Problem, SourcePosition } from "./model.ts";

export interface SourceFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

export interface ParsedFile {
  readonly path: string;
  readonly value: unknown;
  /** Position of a field, or of its nearest existing parent. */
  readonly locate: (path: Path, point?: "key") => SourcePosition;
}

type ParseResult =
  | { readonly ok: true; readonly file: ParsedFile; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Anchors, aliases and `<<` work; duplicate keys are reported with both places; nothing throws. */
export function parseFile({ path, text }: SourceFile): ParseResult {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    merge: true,
    version: "1.2",
  });
  const at = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { file: path, line: Math.max(line, 1), col: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    return {
      ok: false,
      problems: document.errors.map(({ message, pos }) => ({
        code: "E001",
        severity: "error",
        path: "",
        message: `not valid YAML: ${message.split("\n")[0]}`,
        fix: "Fix the syntax; nothing else in this file was checked.",
        at: at(pos[0]),
      })),
    };
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 1000 });
    const find = finder(document);
    return {
      ok: true,
      file: { path, value, locate: (field, point) => at(find(field, point)) },
      problems: [...duplicateKeys(document.contents, [], at)],
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return {
      ok: false,
      problems: [
        {
          code: "E001",
          severity: "error",
          path: "",
          message: `cannot be read as data: ${reason}`,
          at: at(0),
        },
      ],
    };
  }
}

function* duplicateKeys(
  node: unknown,
  path: Path,
  at: (offset: number) => SourcePosition,
): Generator<Problem> {
  if (isMap(node)) {
    const seen = new Map<string, number>();
    for (const pair of node.items) {
      const key = keyOf(pair);
      const offset = keyOffset(pair);
      const first = seen.get(key);
      if (first !== undefined && key !== "<<") {
        yield {
          code: "E003",
          severity: "error",
          path: formatPath([...path, key]),
          message: `"${key}" is written twice; first in line ${at(first).line}`,
          fix: "Keep one of them.",
          at: at(offset),
        };
      }
      seen.set(key, first ?? offset);
      yield* duplicateKeys(pair.value, [...path, key], at);
    }
  } else if (isSeq(node)) {
    for (const [i, item] of node.items.entries()) yield* duplicateKeys(item, [...path, i], at);
  }
}

const keyOf = (pair: Pair): string => String(isScalar(pair.key) ? pair.key.value : pair.key);
const keyOffset = (pair: Pair): number => (isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0);

/** Offsets of fields. The two upper levels are indexed once: fleets have thousands of hosts. */
function finder(document: Document): (path: Path, point?: "key") => number {
  const index = new Map<unknown, Map<string, Pair>>();
  const child = (node: unknown, part: string | number): unknown => {
    if (isSeq(node)) return typeof part === "number" ? node.items[part] : undefined;
    if (!isMap(node)) return undefined;
    if (node.items.length < 16) return node.items.findLast((pair) => keyOf(pair) === String(part));
    let pairs = index.get(node);
    if (pairs === undefined) {
      pairs = new Map(node.items.map((pair) => [keyOf(pair), pair]));
      index.set(node, pairs);
    }
    return pairs.get(String(part));
  };
  return (path, point) => {
    let node: unknown = document.contents;
    let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    for (const [i, part] of path.entries()) {
      if (isAlias(node)) node = node.resolve(document);
      const found = child(node, part);
      if (found === undefined) return offset;
      const last = i === path.length - 1;
      const value: unknown = isPair(found) ? found.value : found;
      const scalar = isScalar(value) && value.value !== null;
      if (isPair(found) && (!last || point === "key" || !(scalar || isAlias(value))))
        offset = keyOffset(found);
      else if (isNode(value)) offset = value.range?.[0] ?? offset;
      node = value;
    }
    return offset;
  };
}
