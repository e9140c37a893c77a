import { Secret } from "./secret.ts";

/**
 * Commands as data. A `Command` is what a session runs: one POSIX `sh` line, built only by quoting,
 * plus what goes to its stdin. Secrets may travel in `stdin`, never in `line`: argv is public on a host.
 */
export interface Command {
  readonly line: string;
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Short name for logs and errors; never contains parameters. */
  readonly label: string;
}

/** One word, safe in any POSIX shell (and in fish). */
export function quote(word: string): string {
  if (word.includes("\0")) throw new TypeError("a shell word cannot contain NUL");
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

type Word = string | number | readonly string[];

/** ``sh`nix-env -p ${profile} --set ${path}` ``: every interpolation becomes quoted words; an array becomes several. */
export function sh(strings: TemplateStringsArray, ...words: readonly Word[]): string {
  return strings.reduce((line, text, i) => {
    const word = words[i - 1];
    if (word instanceof Secret) throw new TypeError("a secret may not become part of a command line");
    const quoted = Array.isArray(word) ? word.map(quote).join(" ") : quote(String(word));
    return line + quoted + text;
  });
}

export type Parameter = string | number | boolean | Secret;

/**
 * A script sent over stdin with its parameters as quoted assignments in front of it, so that nothing at all
 * is visible in the host's process list. `true` becomes 1 and `false` the empty string, as `[ -n "$X" ]` expects.
 */
export function withParameters(script: string, parameters: Readonly<Record<string, Parameter>>): string {
  const header = Object.entries(parameters).map(([name, value]) => {
    if (!/^[A-Z][A-Z0-9_]*$/.test(name)) throw new TypeError(`not a parameter name: ${name}`);
    const text =
      value instanceof Secret ? value.reveal() : value === true ? "1" : value === false ? "" : String(value);
    return `${name}=${quote(text)}\n`;
  });
  return header.join("") + script;
}
