/** Keeps secrets out of messages and code frames, whatever mistake put them into an inventory. */

/** Values that are secrets by their shape, wherever they stand. */
const SHAPES: readonly { readonly what: string; readonly shape: RegExp }[] = [
  { what: "a token (K10…)", shape: /\bK10[0-9a-f]{16,}(?:::[^\s"',}\]]+)?/i },
  { what: "an age key (AGE-SECRET-KEY-…)", shape: /AGE-SECRET-KEY-1[0-9A-Z]+/i },
  {
    what: "a private key",
    shape: /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/,
  },
  { what: "a GitHub token", shape: /\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})/ },
  { what: "an AWS access key", shape: /\bAKIA[0-9A-Z]{16}\b/ },
  { what: "a password hash", shape: /\$(?:1|2[aby]|5|6|y|argon2\w*)\$[^\s"',}\]]+/ },
];

export const REFERENCE = /^(?:sops:[^#]+#.+|file:.+|env:[A-Za-z_][A-Za-z0-9_]*|cmd:.+)$/s;

/** What `value` looks like ("a token (K10…)"), or undefined. */
export function secretShape(value: string): string | undefined {
  return SHAPES.find(({ shape }) => shape.test(value))?.what;
}

/** Long, dense and wordless: most likely generated. For fields that should hold a reference. */
export function looksGenerated(value: string): boolean {
  if (value.length < 20 || /[\s/]/.test(value)) return false;
  const counts = new Map<string, number>();
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const n of counts.values()) bits -= (n / value.length) * Math.log2(n / value.length);
  return bits >= 3.2;
}

/** Names of fields whose values are secrets or references to them. */
export const SECRET_KEY = /(?:token|secret|passw|passphrase|psk|private_?key|api_?key|datastore_?ref)/i;

const MASK = "[hidden]";

/** `key: value` pairs, in block and flow style, whose key says that the value is secret. */
const SECRET_PAIR =
  /((?:^|[{,\s"'])[\w.-]*(?:token|secret|passw|passphrase|psk|private_?key|api_?key|datastore_?ref)[\w.-]*["']?[ \t]*:[ \t]*)("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,}\]#"'|>&*{[][^,}\n]*)/gi;

/** A message without secrets. */
export function redact(text: string): string {
  return SHAPES.reduce(
    (masked, { shape }) => masked.replaceAll(new RegExp(shape.source, `g${shape.flags}`), MASK),
    text,
  );
}

/** YAML source fit to be shown: same lines, secrets masked. */
export function redactSource(source: string): string {
  const keepLines = (secret: string) => MASK + "\n".repeat(secret.split("\n").length - 1);
  const shapes = SHAPES.reduce(
    (masked, { shape }) => masked.replaceAll(new RegExp(shape.source, `g${shape.flags}`), keepLines),
    source,
  );
  return maskBlocks(shapes).replaceAll(SECRET_PAIR, (whole, key: string, value: string) =>
    REFERENCE.test(unquote(value)) && secretShape(value) === undefined ? whole : key + MASK,
  );
}

const unquote = (value: string): string => value.trim().replace(/^(["'])(.*)\1$/s, "$2");

/** `password: |` and the deeper lines below it. */
function maskBlocks(source: string): string {
  let below: number | undefined;
  return source
    .split("\n")
    .map((line) => {
      const depth = line.search(/\S/);
      if (below !== undefined && (depth === -1 || depth > below)) {
        return depth === -1 ? line : line.slice(0, depth) + MASK;
      }
      const head = /^(\s*(?:- )?)["']?([\w.-]+)["']?\s*:\s*[|>][0-9+-]*\s*$/.exec(line);
      below = head && SECRET_KEY.test(head[2] ?? "") ? (head[1]?.length ?? 0) : undefined;
      return line;
    })
    .join("\n");
}
