/** Lists of files with everything that must survive; from a host and from an archive they must be equal. Pure. */
import { FleetError } from "../../errors.ts";

export interface ManifestEntry {
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  /** `0640` */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; 0 unless a file. */
  readonly size: number;
  /** Of a file's content or a link's target; `-` for directories. */
  readonly sha256: string;
}

/** By path, without a leading slash. */
export type Manifest = ReadonlyMap<string, ManifestEntry>;

const TYPES: Readonly<Record<number, ManifestEntry["type"]>> = {
  32768: "file",
  16384: "directory",
  40960: "symlink",
};

/** Reads what `manifest.sh` printed. Throws host-protocol when it is not whole. */
export function parseManifest(stdout: string): Manifest {
  const lines = stdout.split("\n");
  const section = (from: string, to: string) => {
    const [a, b] = [lines.indexOf(from), lines.indexOf(to)];
    if (a < 0 || b < a) throw new FleetError("host-protocol", `the list of files ended before ${to}`);
    return lines.slice(a + 1, b);
  };
  const names = (from: string, to: string) =>
    Buffer.from(section(from, to).join(""), "base64")
      .toString("utf8")
      .split("\0")
      .filter((n) => n !== "");
  const rows = (from: string, to: string) => section(from, to).filter((l) => l !== "");
  const all = names("NAMES", "STATS");
  const stats = rows("STATS", "FILES");
  const hashed = [...names("FILES", "SUMS"), ...names("LINKS", "TARGETS")];
  const sums = [...rows("SUMS", "LINKS"), ...rows("TARGETS", "END")];
  if (stats.length !== all.length || sums.length !== hashed.length) {
    throw new FleetError(
      "host-protocol",
      `of ${all.length} files ${stats.length} were looked at, of ${hashed.length} ${sums.length} read: they changed meanwhile`,
      { hint: "stop what writes there, then try again" },
    );
  }
  const sumOf = new Map(hashed.map((name, i) => [name, sums[i] ?? "-"]));
  const entries = all.map((name, i): ManifestEntry => {
    const [mode = "0", uid = "", gid = "", size = "", raw = "0"] = (stats[i] ?? "").split(" ");
    const type = TYPES[Number.parseInt(raw, 16) & 0xf000] ?? "file";
    return {
      path: name.replace(/^(?:\.?\/)+/, ""),
      type,
      mode: mode.padStart(4, "0"),
      uid: Number(uid),
      gid: Number(gid),
      size: type === "file" ? Number(size) : 0,
      sha256: type === "directory" ? "-" : (sumOf.get(name) ?? "-"),
    };
  });
  return new Map(entries.map((e) => [e.path, e]));
}

export interface Difference {
  readonly path: string;
  readonly what: string;
}

/** What of `wanted` is not, or not the same, in `found`; with `exact` also what is in `found` only. */
export function compareManifests(
  wanted: Manifest,
  found: Manifest,
  o: { readonly exact: boolean },
): readonly Difference[] {
  const differences: Difference[] = [];
  for (const [path, a] of wanted) {
    const b = found.get(path);
    if (b === undefined) {
      differences.push({ path, what: "is missing" });
      continue;
    }
    for (const field of ["type", "mode", "uid", "gid", "size", "sha256"] as const) {
      // The mode of a link means nothing.
      if (field === "mode" && a.type === "symlink") continue;
      if (a[field] !== b[field]) {
        differences.push({
          path,
          what: field === "sha256" ? "has another content" : `${field} is ${b[field]}, was ${a[field]}`,
        });
        break;
      }
    }
  }
  if (o.exact)
    for (const path of found.keys()) if (!wanted.has(path)) differences.push({ path, what: "was not there" });
  return differences;
}

export interface Extent {
  readonly files: number;
  readonly bytes: number;
}

export function extentOf(entries: Iterable<ManifestEntry>): Extent {
  let files = 0;
  let bytes = 0;
  for (const e of entries) {
    if (e.type !== "file") continue;
    files++;
    bytes += e.size;
  }
  return { files, bytes };
}

export function manifestJson(manifest: Manifest): string {
  return `${JSON.stringify({ schema: 1, entries: [...manifest.values()] })}\n`;
}

export function manifestFromJson(text: string): Manifest {
  const { entries } = JSON.parse(text) as { readonly entries: readonly ManifestEntry[] };
  return new Map(entries.map((e) => [e.path, e]));
}
