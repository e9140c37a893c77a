/**
 * `--limit`: which hosts are meant. Unions first, then `&`, then `!`, whatever the order they are typed in;
 * the result is in inventory order. Pure: files and host states come from `lookups`.
 */
import { FleetError } from "../errors.ts";
import { type Host, type Inventory, ROLES } from "./model.ts";
import { expandName } from "./ranges.ts";
import { type Key, type Match, parsePattern, type Term } from "./select-parse.ts";
import { suggestion } from "./similar.ts";

export interface SelectLookups {
  /** Text of `@file`: patterns, one or more a line, `#` comments. Throws when it cannot be read. */
  readonly readFile?: (path: string) => string;
  /** What is known of a host besides the inventory: `failed`, `deferred`, `outdated`. */
  readonly hostStates?: (name: string) => readonly string[];
}

/** States that come from `lookups`; the others are the inventory's `state`. */
const KNOWN_STATES = ["active", "planned", "maintenance", "retired", "failed", "deferred", "outdated"];

/**
 * The hosts `pattern` means. Throws limit-syntax; limit-no-match when it means none, and when any of its
 * terms names something that does not exist (a typo in an exclusion is the worst typo of all).
 */
export function selectHosts(inventory: Inventory, pattern: string, lookups: SelectLookups = {}): Host[] {
  const hosts = matchHosts(inventory, pattern, lookups);
  if (hosts.length === 0) {
    throw new FleetError("limit-no-match", `--limit: no host matches "${pattern}"`, {
      hint: "List hosts with: macula-fleet inventory list",
    });
  }
  return hosts;
}

/** Like `selectHosts`, but no host at all is an answer, too. */
export function matchHosts(inventory: Inventory, pattern: string, lookups: SelectLookups = {}): Host[] {
  const chosen = new Selector(inventory, lookups).select(parsePattern(pattern));
  return inventory.hosts.filter(({ name }) => chosen.has(name));
}

class Selector {
  readonly #inventory: Inventory;
  readonly #lookups: SelectLookups;
  readonly #byName: ReadonlyMap<string, Host>;
  readonly #openFiles: string[] = [];

  constructor(inventory: Inventory, lookups: SelectLookups) {
    this.#inventory = inventory;
    this.#lookups = lookups;
    this.#byName = new Map(inventory.hosts.map((host) => [host.name, host]));
  }

  select(terms: readonly Term[]): ReadonlySet<string> {
    const of = (operator: Term["operator"]) =>
      terms.filter((term) => term.operator === operator).map((term) => this.#names(term));
    const unions = of("union");
    const all = of("and");
    const none = of("not");
    const chosen = unions.length === 0 ? [...this.#byName.keys()] : unions.flatMap((names) => [...names]);
    return new Set(
      chosen.filter(
        (name) => all.every((names) => names.has(name)) && !none.some((names) => names.has(name)),
      ),
    );
  }

  #names({ match, text }: Term): ReadonlySet<string> {
    switch (match.kind) {
      case "regex":
        return this.#where(({ name }) => match.regex.test(name));
      case "file":
        return this.#file(match.path);
      case "label":
        return this.#where(({ labels }) => {
          const value = Object.hasOwn(labels, match.label) ? labels[match.label] : undefined;
          return value !== undefined && (match.value === undefined || glob(match.value).test(value));
        });
      default:
        return this.#sliced(match, text);
    }
  }

  /** `group[0:2]`, inclusive; `group[-1]`. What names no group may still be a range or a character class. */
  #sliced(match: Match & { kind: "name" | "key" }, text: string): ReadonlySet<string> {
    const subject = match.kind === "name" ? match.pattern : match.value;
    const slice = /^(.+)\[(-?\d+)(?:(:)(-?\d+)?)?\]$/.exec(subject);
    if (slice !== null) {
      const [, base = "", first = "0", colon, last] = slice;
      const all = this.#matching(
        match.kind === "name" ? { ...match, pattern: base } : { ...match, value: base },
      );
      if (all !== undefined) {
        const ordered = this.#inventory.hosts.map(({ name }) => name).filter((name) => all.has(name));
        const index = (n: string) => (Number(n) < 0 ? ordered.length + Number(n) : Number(n));
        const end =
          colon === undefined ? index(first) : last === undefined ? ordered.length - 1 : index(last);
        return new Set(ordered.slice(Math.max(0, index(first)), Math.max(0, end + 1)));
      }
    }
    const found = this.#range(subject) ?? this.#matching(match);
    if (found !== undefined) return found;
    throw this.#unknown(match, text);
  }

  #range(key: string): ReadonlySet<string> | undefined {
    const expansion = expandName(key);
    if (expansion.kind !== "range") return undefined;
    const names = expansion.members.map(({ name }) => name).filter((name) => this.#byName.has(name));
    return names.length === 0 ? undefined : new Set(names);
  }

  /** Undefined: there is no such thing (a typo), as opposed to a thing without hosts. */
  #matching(match: Match & { kind: "name" | "key" }): ReadonlySet<string> | undefined {
    if (match.kind === "key") return this.#keyed(match.key, match.value);
    const { pattern } = match;
    if (pattern === "all" || pattern === "*") return new Set(this.#byName.keys());
    if (!/[*?[]/.test(pattern)) return this.#plain(pattern);
    const shape = glob(pattern);
    const found = this.#where(
      (host) =>
        shape.test(host.name) ||
        host.groups.some((group) => shape.test(group)) ||
        (host.site !== null && shape.test(host.site)),
    );
    // A glob may be empty; with brackets it may also have been meant as a slice or a range.
    return found.size === 0 && pattern.includes("[") ? undefined : found;
  }

  #plain(name: string): ReadonlySet<string> | undefined {
    const { groups, sites } = this.#inventory;
    const many =
      Object.hasOwn(groups, name) || Object.hasOwn(sites, name) || ROLES.some((role) => role === name);
    // Files of `@file` list thousands of names: those cost nothing.
    if (!many) return this.#byName.has(name) ? new Set([name]) : undefined;
    return this.#where(
      (host) =>
        host.name === name ||
        host.site === name ||
        host.groups.includes(name) ||
        host.roles.some((role) => role === name),
    );
  }

  #keyed(key: Key, value: string): ReadonlySet<string> | undefined {
    const known = this.#values(key);
    const shape = glob(value);
    if (known !== undefined && !known.some((each) => shape.test(each))) return undefined;
    return this.#where((host) => this.#valuesOf(host, key).some((each) => shape.test(each)));
  }

  /** All values a key can have; undefined when anything goes. */
  #values(key: Key): readonly string[] | undefined {
    const { groups, sites, clusters } = this.#inventory;
    switch (key) {
      case "role":
        return ROLES;
      case "site":
        return Object.keys(sites);
      case "group":
        return Object.keys(groups);
      case "cluster":
        return Object.keys(clusters);
      case "state":
        return KNOWN_STATES;
      case "arch":
        return ["x86_64-linux", "aarch64-linux"];
      case "os":
        return ["nixos", "k3os", "installer"];
      case "channel":
        return ["stable", "experimental"];
      case "tag":
        return undefined;
    }
  }

  #valuesOf(host: Host, key: Key): readonly string[] {
    switch (key) {
      case "role":
        return host.roles;
      case "site":
        return host.site === null ? [] : [host.site];
      case "group":
        return host.groups;
      case "cluster":
        return host.k3s.cluster === undefined ? [] : [host.k3s.cluster];
      case "state":
        return [host.state, ...(this.#lookups.hostStates?.(host.name) ?? [])];
      case "tag":
        return host.tags;
      default:
        return [host[key]];
    }
  }

  #file(path: string): ReadonlySet<string> {
    const { readFile } = this.#lookups;
    if (readFile === undefined)
      throw new FleetError("limit-syntax", `--limit: @${path} is not possible here`);
    if (this.#openFiles.includes(path))
      throw new FleetError("limit-syntax", `--limit: @${path} includes itself`);
    const lines = readFile(path)
      .split("\n")
      .map((line) => line.replace(/(?:^|\s)#.*$/, "").trim());
    const terms = lines.filter((line) => line !== "").flatMap((line) => parsePattern(line));
    this.#openFiles.push(path);
    const names = terms.length === 0 ? new Set<string>() : this.select(terms);
    this.#openFiles.pop();
    return names;
  }

  #where(matches: (host: Host) => boolean): ReadonlySet<string> {
    return new Set(this.#inventory.hosts.filter(matches).map(({ name }) => name));
  }

  #unknown(match: Match & { kind: "name" | "key" }, text: string): FleetError {
    const { groups, sites } = this.#inventory;
    if (match.kind === "key") {
      const known = this.#values(match.key) ?? [];
      return new FleetError("limit-no-match", `--limit: no ${match.key} "${match.value}"`, {
        hint: suggestion(match.value, known, `${match.key}s`),
      });
    }
    const known = [...this.#byName.keys(), ...Object.keys(groups), ...Object.keys(sites)];
    return new FleetError("limit-no-match", `--limit: no host, group or site "${text}"`, {
      hint: suggestion(match.pattern, known, "hosts"),
    });
  }
}

/** Shell pattern for a whole word: `*`, `?`, `[abc]`, `[!abc]`. */
function glob(pattern: string): RegExp {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? "";
    const close = char === "[" ? pattern.indexOf("]", i + 2) : -1;
    if (char === "*") source += ".*";
    else if (char === "?") source += ".";
    else if (close > 0) {
      const body = pattern.slice(i + 1, close).replaceAll(/[\\\]^]/g, "\\$&");
      source += `[${body.startsWith("!") ? `^${body.slice(1)}` : body}]`;
      i = close;
    } else source += char.replaceAll(/[\\^$.|+()[\]{}/]/g, "\\$&");
  }
  try {
    return new RegExp(`^${source}$`);
  } catch {
    throw new FleetError("limit-syntax", `--limit: "${pattern}" is not a valid pattern`);
  }
}
