/**
 * The scripts of the host protocol, whole and constant: the same text for every host and every call, only the
 * parameters in front differ. The simulator recognises a script by this text and refuses anything else.
 */
import { readFileSync } from "node:fs";
import { kinds } from "../health/kinds/index.ts";

const read = (name: string) => readFileSync(new URL(`./scripts/${name}.sh`, import.meta.url), "utf8");

const prelude = read("prelude");
const state = read("state");
const units = read("units");
const loader = read("loader");
const programs = read("programs");
const consent = read("consent");

/**
 * `main` runs only when the very last line has arrived: a script cut short by a lost connection does nothing.
 * Its stdin is closed, so that no command can eat the rest of the script.
 */
const whole = (name: string, ...parts: readonly string[]) =>
  [`# macula-fleet/1 ${name}\n`, ...parts, "main < /dev/null\n"].join("\n");

const common = [prelude, state, units, loader];

const END = "MACULA_FLEET_PROGRAM";
/** A program for a unit of its own, as a function that prints it. */
const program = (name: string) =>
  `program_${name}() {\n  cat << '${END}'\n${whole(name, ...common, read(name))}${END}\n}\n`;

const op = (name: string) => whole(name, ...common, read(name));
const starting = (name: string, started: readonly string[], ...parts: readonly string[]) =>
  whole(name, ...common, programs, ...started.map(program), ...parts, read(name));

/** What can be asked of a host. Parameters: the head of each `scripts/NAME.sh`. */
export const scripts = {
  probe: op("probe"),
  facts: op("facts"),
  fetch: op("fetch"),
  lend: op("lend"),
  borrow: op("borrow"),
  missing: op("missing"),
  stage: op("stage"),
  deliver: op("deliver"),
  activate: starting("activate", ["supervise", "restore", "boot"], consent),
  check: whole("check", ...common, ...kinds.map((kind) => kind.script), read("check")),
  commit: starting("commit", ["finish"]),
  revert: starting("revert", ["restore", "boot"]),
  evidence: op("evidence"),
  release: op("release"),
  generations: op("generations"),
  note: op("note"),
  reboot: op("reboot"),
  gc: op("gc"),
  wipe: op("wipe"),
} as const;

export type ScriptName = keyof typeof scripts;

const isScriptName = (name: string): name is ScriptName => Object.hasOwn(scripts, name);

const ASSIGNMENT = /([A-Z][A-Z0-9_]*)=((?:[A-Za-z0-9_@%+=:,./-]|'[^']*'|\\')*)\n/y;

/** Reads back what `withParameters` wrote; null unless the text is exactly one of `scripts`, parameters apart. */
export function identify(
  text: string,
): { readonly name: ScriptName; readonly parameters: Readonly<Record<string, string>> } | null {
  const parameters: Record<string, string> = {};
  let at = 0;
  for (;;) {
    ASSIGNMENT.lastIndex = at;
    const match = ASSIGNMENT.exec(text);
    if (!match) break;
    const [whole, name, word] = match;
    if (name === undefined || word === undefined) return null;
    parameters[name] = unquote(word);
    at += whole.length;
  }
  const name = /^# macula-fleet\/1 ([a-z]+)\n/.exec(text.slice(at, at + 64))?.[1];
  if (name === undefined || !isScriptName(name) || text.slice(at) !== scripts[name]) return null;
  return { name, parameters };
}

/** `'it'\''s'` -> `it's` */
function unquote(word: string): string {
  return word.replace(/'([^']*)'|\\'/g, (piece, quoted: string | undefined) =>
    piece === "\\'" ? "'" : (quoted ?? ""),
  );
}
