/** `--limit` text -> terms. Grammar: Ansible's, plus `key=value` and `key:value`. Pure. */
import { FleetError } from "../errors.ts";

type Operator = "union" | "and" | "not";

export interface Term {
  readonly operator: Operator;
  /** As typed, without its operator. */
  readonly text: string;
  readonly match: Match;
}

export type Match =
  | { readonly kind: "name"; readonly pattern: string }
  | { readonly kind: "regex"; readonly regex: RegExp }
  | { readonly kind: "key"; readonly key: Key; readonly value: string }
  | { readonly kind: "label"; readonly label: string; readonly value: string | undefined }
  | { readonly kind: "file"; readonly path: string };

const KEYS = ["role", "site", "tag", "group", "cluster", "state", "arch", "os", "channel"] as const;
export type Key = (typeof KEYS)[number];
const PREFIXES: readonly string[] = ["role", "site", "tag", "group", "cluster", "label", "state"];

export function parsePattern(pattern: string): readonly Term[] {
  const terms = split(pattern).map(parseTerm);
  if (terms.length === 0) throw syntax(pattern, "is empty");
  return terms;
}

function parseTerm(raw: string): Term {
  // `a & !b` is how people write "and not".
  const [, sign = "", text = ""] = /^(&?!|&?)\s*([\s\S]*)$/.exec(raw) ?? [];
  const operator = sign === "&" ? "and" : sign === "" ? "union" : "not";
  if (text === "" || /^[&!]/.test(text)) throw syntax(raw, "has an operator without a name");
  return { operator, text, match: parseMatch(text) };
}

function parseMatch(text: string): Match {
  if (text.startsWith("@")) {
    if (text.length === 1) throw syntax(text, "needs a file: @hosts.txt");
    return { kind: "file", path: text.slice(1) };
  }
  if (text.startsWith("~")) {
    try {
      return { kind: "regex", regex: new RegExp(`^(?:${text.slice(1)})`) };
    } catch (cause) {
      throw syntax(text, `is not a regular expression (${cause instanceof Error ? cause.message : cause})`);
    }
  }
  const label = /^label[.:]([^=]+)(?:=(.*))?$/.exec(text);
  if (label) return { kind: "label", label: label[1] ?? "", value: label[2] };
  const keyed = /^([a-z]+)[=:](.*)$/.exec(text);
  if (keyed === null) return { kind: "name", pattern: text };
  const key = KEYS.find((each) => each === keyed[1]);
  if (key === undefined) {
    throw syntax(text, `has the unknown key "${keyed[1]}"; keys are ${KEYS.join(", ")} and label.NAME`);
  }
  if (keyed[2] === "") throw syntax(text, `needs a value: ${key}=…`);
  return { kind: "key", key, value: keyed[2] ?? "" };
}

/**
 * Separators are `,`, `:` and white space, outside brackets; the `:` of `site:gent` is none, nor are
 * `,` and `:` inside a `~regex`'s brackets. An operator sticks to what follows it.
 */
function split(pattern: string): string[] {
  const parts: string[] = [];
  let part = "";
  let depth = 0;
  const end = () => {
    if (part !== "" && part !== "&" && part !== "!") {
      parts.push(part);
      part = "";
    }
  };
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? "";
    if (char === "\\" && /^&?!?~/.test(part)) {
      part += char + (pattern[++i] ?? "");
      continue;
    }
    if ("[({".includes(char)) depth++;
    if ("])}".includes(char)) depth = Math.max(0, depth - 1);
    if (depth > 0) {
      part += char;
    } else if (char === "," || /\s/.test(char)) {
      end();
    } else if (char === ":") {
      const key = part.replace(/^&?!?/, "");
      const next = pattern[i + 1] ?? "";
      if (PREFIXES.includes(key) && /[\w*?[]/.test(next)) part += char;
      else end();
    } else if ((char === "&" || char === "!") && !/^&?!?~/.test(part) && part !== "") {
      end();
      part = part === "" ? char : part + char;
    } else {
      part += char;
    }
  }
  if (part !== "") parts.push(part);
  return parts;
}

function syntax(text: string, what: string): FleetError {
  return new FleetError("limit-syntax", `--limit: "${text.trim()}" ${what}`, {
    hint: "Examples: node-01,node-02 · role=peer:&site=gent · all:!node-03 · node-0* · ~regex · group[0:2] · @file",
  });
}
