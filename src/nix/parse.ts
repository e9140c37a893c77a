/** What Nix prints, as data. Pure. Throws `SyntaxError` on text that is not what Nix prints. */
import { z } from "zod";

const Evaluated = z.record(z.string(), z.object({ drv: z.string(), out: z.string() }).nullable());
export type Evaluated = z.infer<typeof Evaluated>;

/** Output of `commands.evaluate`. */
export function parseEvaluated(json: string): Evaluated {
  return read(Evaluated, json, "nix eval");
}

/** `nix (Nix) 2.26.3`, `nix (Lix, like Nix) 2.93.0`, `nix (Determinate Nix 3.6.0) 2.29.0` -> `2.26.3`; null: not understood. */
export function parseNixVersion(text: string): string | null {
  return /^nix \(.*\) (\d+\.\d+(?:\.\d+)?)/m.exec(text)?.[1] ?? null;
}

const Info = z.object({
  narSize: z.number().optional(),
  narHash: z.string().optional(),
  closureSize: z.number().optional(),
  valid: z.boolean().optional(),
});
const InfoByPath = z.record(z.string(), Info.nullable());
const PathInfos = z.union([
  z
    .array(Info.extend({ path: z.string() }))
    .transform((list) => Object.fromEntries(list.map((entry) => [entry.path, entry]))),
  z.object({ info: InfoByPath }).transform((envelope) => envelope.info),
  InfoByPath,
]);

export interface PathSize {
  /** Bytes, NAR. */
  readonly size: number;
  /** As `nix-store --query --hash` prints it; absent when it was not said, or not as SHA-256. */
  readonly hash?: string;
  /** Bytes of the whole closure; 0 when it was not asked for. */
  readonly closureSize: number;
}

/**
 * Output of `nix path-info --json`: a list up to Nix 2.18, then a map by path, later a map by base name
 * inside an envelope.
 */
export function parsePathInfo(json: string): ReadonlyMap<string, PathSize> {
  const sizes = new Map<string, PathSize>();
  for (const [path, info] of Object.entries(read(PathInfos, json, "nix path-info"))) {
    if (info === null || info.valid === false) continue;
    const full = path.startsWith("/") ? path : `/nix/store/${path}`;
    const hash = storeHash(info.narHash ?? "");
    sizes.set(full, {
      size: info.narSize ?? 0,
      closureSize: info.closureSize ?? 0,
      ...(hash === null ? {} : { hash }),
    });
  }
  return sizes;
}

const DIGITS = "0123456789abcdfghijklmnpqrsvwxyz";

/** `sha256-BASE64=` or `sha256:BASE32` -> `sha256:BASE32`; null: neither. Nix's base 32 begins at the end. */
export function storeHash(text: string): string | null {
  if (/^sha256:[0-9a-df-np-sv-z]{52}$/.test(text)) return text;
  const bytes = Buffer.from(/^sha256-([A-Za-z0-9+/]{43}=)$/.exec(text)?.[1] ?? "", "base64");
  if (bytes.length !== 32) return null;
  let number = 0n;
  for (const byte of bytes.toReversed()) number = number * 256n + BigInt(byte);
  let digits = "";
  for (let i = 51; i >= 0; i--) digits += DIGITS[Number((number >> BigInt(5 * i)) & 31n)];
  return `sha256:${digits}`;
}

/** Store paths, one per line. */
export function parsePaths(text: string): readonly string[] {
  return text.split("\n").filter((line) => line.startsWith("/nix/store/"));
}

const Metadata = z.object({
  revision: z.string().optional(),
  locked: z.object({ rev: z.string().optional(), narHash: z.string().optional() }).optional(),
});

/** Revision (git commit) and content hash of a flake, as far as Nix knows them. */
export function parseFlakeMetadata(json: string): { readonly rev?: string; readonly narHash?: string } {
  const parsed = read(Metadata, json, "nix flake metadata");
  const rev = parsed.revision ?? parsed.locked?.rev;
  const narHash = parsed.locked?.narHash;
  return { ...(rev === undefined ? {} : { rev }), ...(narHash === undefined ? {} : { narHash }) };
}

/** One line of a closure diff. An empty list of versions: absent on that side. */
export interface ClosureChange {
  readonly name: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Bytes the closure grows by, rounded as Nix prints it; 0 when it says nothing. */
  readonly bytes: number;
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Output of `nix store diff-closures`: `app: 1.1 → 1.2, +12.3 KiB`; `∅` is absence, `ε` a path without a version. */
export function parseClosureDiff(text: string): readonly ClosureChange[] {
  const changes: ClosureChange[] = [];
  for (const line of stripAnsi(text).split("\n")) {
    const head = /^(\S+): (.+)$/.exec(line.trim());
    if (head === null) continue;
    const [, name = "", rest = ""] = head;
    const size = /(?:^|, )([+-]?\d+(?:\.\d+)?) (B|KiB|MiB|GiB)$/.exec(rest);
    const versions = rest.slice(0, size === null ? undefined : size.index);
    const [before = "", after = ""] = versions.includes("→") ? versions.split("→") : [];
    const bytes = Math.round(Number(size?.[1] ?? 0) * (UNITS[size?.[2] ?? "B"] ?? 1));
    changes.push({ name, before: versionList(before), after: versionList(after), bytes });
  }
  return changes;
}

function versionList(text: string): readonly string[] {
  const words = text.split(",").map((word) => word.trim());
  return words.filter((word) => word !== "" && word !== "∅").map((word) => (word === "ε" ? "" : word));
}

function stripAnsi(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed here
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}

/** `/nix/store/…-nixos-system-node-01-26.05.20261118.abc` -> `26.05.20261118.abc`; empty when it carries none. */
export function systemVersion(toplevel: string): string {
  return /-nixos-system-.*?-(\d\d\.\d\d[^/]*)$/.exec(toplevel)?.[1] ?? "";
}

/** The end of a log: what a person needs to see of a failed build. */
export function lastLines(text: string, count = 20): string {
  const lines = stripAnsi(text).trimEnd().split("\n");
  const error = lines.some((l) => l.startsWith("error:"));
  return (error ? lines.filter((l) => !l.startsWith("warning:")) : lines).slice(-count).join("\n");
}

function read<T>(schema: z.ZodType<T>, json: string, what: string): T {
  const parsed = schema.safeParse(JSON.parse(json));
  if (parsed.success) return parsed.data;
  throw new SyntaxError(`unexpected output of ${what}: ${z.prettifyError(parsed.error)}`);
}
