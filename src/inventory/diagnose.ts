/** What the schema has to say, in words: one finding per mistake, and the data without the mistakes. */
import type { z } from "zod";
import { isRecord } from "./combine.ts";
import { error, type Finding, formatPath, type Path } from "./findings.ts";
import { looksGenerated, SECRET_KEY, secretShape } from "./redact.ts";
import { keyFinder } from "./schema/keys.ts";
import { PERCENT_PATTERN } from "./schema/primitives.ts";
import { API_VERSION, type InventoryDocument, inventorySchema, KIND } from "./schema.ts";
import { didYouMean } from "./similar.ts";

type Issue = z.core.$ZodIssue;
type KeyFinder = ReturnType<typeof keyFinder>;

/** Habits from other tools. */
const ALIASES: Readonly<Record<string, string>> = {
  ip: "address",
  host: "address",
  hostname: "address",
  ansible_host: "address",
  ansible_port: "port",
  ansible_user: "user",
  token: "tokenRef",
  password: "passwordHashRef",
  psk: "pskRef",
  jump: "bastion",
  proxyjump: "bastion",
  zone: "timezone",
  architecture: "arch",
};

export interface Diagnosis {
  /** The part of the data that is valid, so that later checks can go on; undefined when nothing can. */
  readonly document: InventoryDocument | undefined;
  readonly findings: readonly Finding[];
}

export function diagnose(value: Record<string, unknown>): Diagnosis {
  const findings: Finding[] = [];
  const knownKeys = keyFinder();
  let data: Record<string, unknown> = value;
  for (let round = 0; round < 6; round++) {
    const result = inventorySchema.safeParse(data);
    if (result.success) return { document: result.data, findings };
    if (round === 0) data = structuredClone(value);
    for (const issue of result.error.issues.flatMap((each) => flatten(each, [], data))) {
      // Later rounds only see what pruning left behind; those holes are ours, not the user's.
      if (round === 0 || !isHole(issue, data)) findings.push(...explain(issue, data, knownKeys));
      prune(issue, data);
    }
    dropHoles(data);
  }
  return { document: undefined, findings };
}

/** Alternatives are judged by the one that fits the value's kind. */
function flatten(issue: Issue, prefix: Path, data: unknown): Issue[] {
  const path = [...prefix, ...issue.path.filter((part) => typeof part !== "symbol")];
  if (issue.code === "invalid_union" && issue.message === "Invalid input") {
    const value = at(data, path);
    const structured = typeof value === "object" && value !== null;
    const fitting = issue.errors.find((branch) =>
      branch.every((each) => {
        if (each.path.length > 0) return true;
        if (structured) return each.code !== "invalid_type" && each.code !== "invalid_union";
        return each.code !== "invalid_type" || !["object", "array", "record"].includes(each.expected);
      }),
    );
    if (fitting) return fitting.flatMap((inner) => flatten(inner, path, data));
  }
  return [{ ...issue, path: [...path] }];
}

function explain(issue: Issue, data: unknown, knownKeys: KeyFinder): Finding[] {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => unknownKey(path, key, knownKeys(path)));
  const value = at(data, path);
  if (path.length === 1 && (path[0] === "apiVersion" || path[0] === "kind")) {
    const wanted = path[0] === "kind" ? KIND : API_VERSION;
    const found = value === undefined ? "is missing" : `is ${show(path, value)}`;
    return [error("E002", path, `${path[0]} ${found}; this version reads ${path[0]}: ${wanted}`)];
  }
  if (value === undefined) {
    return [
      error("E111", path, `"${path.at(-1)}" is required`, {
        fix: `Add it to ${formatPath(path.slice(0, -1)) || "the file"}.`,
      }),
    ];
  }
  if (issue.code === "invalid_key") {
    return [
      error("E112", path, `"${path.at(-1)}" is not a name: use lower-case letters, digits and -`, {
        point: "key",
      }),
    ];
  }
  if (issue.code === "invalid_value") {
    const options = issue.values.map(String);
    const close = typeof value === "string" ? didYouMean(value, options) : undefined;
    const message = `${show(path, value)} is not one of ${options.join(", ")}`;
    return [error("E110", path, message, close === undefined ? {} : { fix: `Did you mean "${close}"?` })];
  }
  if (typeof value === "string" && /^-?[\d.,]+\s*%$/.test(value) && !PERCENT_PATTERN.test(value)) {
    return [error("E707", path, `${show(path, value)}: percentages are whole numbers from 0% to 100%`)];
  }
  if (issue.code === "invalid_type" && issue.message.startsWith("Invalid input")) {
    return [error("E110", path, `must be ${article(issue.expected)}, is ${show(path, value)}`)];
  }
  const message = issue.message.startsWith("Invalid") ? "is not a valid value" : issue.message;
  return [error("E110", path, `${show(path, value)} ${message}`)];
}

function unknownKey(path: Path, key: string, known: readonly string[]): Finding {
  const alias = ALIASES[key.toLowerCase()];
  const close = alias !== undefined && known.includes(alias) ? alias : didYouMean(key, known);
  const fix =
    close !== undefined
      ? `Did you mean "${close}"?`
      : (path[0] === "groups" || path[0] === "sites" || path[0] === "defaults") &&
          (key === "site" || key === "groups")
        ? `"${key}" can only be said of a host.`
        : path.length === 2 && (path[0] === "groups" || path[0] === "sites")
          ? `What its hosts share goes under "vars"; known keys are ${known.join(", ")}.`
          : `Known keys are ${known.join(", ")}.`;
  return error("E103", path, `unknown key "${key}"`, { from: [...path, key], fix, point: "key" });
}

/** A value as it may be shown: short, and never one that could be a secret. */
function show(path: Path, value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  if (value === null) return "empty";
  if (typeof value !== "string") return String(value);
  const secret = path.some((part) => typeof part === "string" && SECRET_KEY.test(part));
  if (secret || secretShape(value) !== undefined || looksGenerated(value)) return "the value";
  return value.length > 60 ? `"${value.slice(0, 57)}…"` : JSON.stringify(value);
}

const article = (expected: string): string =>
  ({
    string: "a text (quote it)",
    record: "a map",
    object: "a map",
    array: "a list",
    int: "a whole number",
    boolean: "true or false",
  })[expected] ?? `a ${expected}`;

function at(data: unknown, path: Path): unknown {
  let value = data;
  for (const part of path) {
    if (Array.isArray(value)) value = value[Number(part)];
    else if (isRecord(value) && Object.hasOwn(value, part)) value = value[part];
    else return undefined;
  }
  return value;
}

/** Stand-ins for required fields, so that everything else can still be judged. */
const STAND_INS: Readonly<Record<string, unknown>> = {
  apiVersion: API_VERSION,
  kind: KIND,
  hosts: {},
  fleet: {},
  "fleet.name": "unnamed",
  "fleet.realm": "invalid.invalid",
  "fleet.flake": "./flake",
};

function prune(issue: Issue, data: Record<string, unknown>): void {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  if (issue.code === "unrecognized_keys") {
    const holder = at(data, path);
    if (isRecord(holder)) for (const key of issue.keys) delete holder[key];
    return;
  }
  const standIn =
    STAND_INS[path.join(".")] ??
    (path[0] === "bastions" && path[2] === "address" ? "unknown.invalid" : undefined);
  // A missing required field takes its holder along: half a check or half a static network says nothing.
  const target = standIn === undefined && at(data, path) === undefined ? path.slice(0, -1) : path;
  const holder = at(data, target.slice(0, -1));
  const key = target.at(-1);
  if (key === undefined) return;
  if (Array.isArray(holder)) holder[Number(key)] = undefined;
  else if (isRecord(holder) && standIn !== undefined) holder[key] = standIn;
  else if (isRecord(holder)) delete holder[key];
}

const isHole = (issue: Issue, data: unknown): boolean =>
  issue.code !== "unrecognized_keys" &&
  at(
    data,
    issue.path.filter((part) => typeof part !== "symbol"),
  ) === undefined;

function dropHoles(value: unknown): void {
  if (Array.isArray(value)) {
    for (let i = value.length - 1; i >= 0; i--) if (value[i] === undefined) value.splice(i, 1);
  }
  if (typeof value === "object" && value !== null) for (const part of Object.values(value)) dropHoles(part);
}
