import { createHmac } from "node:crypto";
import { appendFile, mkdir, open, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FleetError } from "../errors.ts";
import { formatHostKey, type HostKey, parseHostKey, sameKey } from "./host-key.ts";

/** One usable line of a known_hosts file. */
export interface KnownHost {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly marker?: "revoked" | "cert-authority";
  /** The host field as written: a pattern list, or one hashed name. */
  readonly hosts: string;
  readonly key: HostKey;
}

/** How OpenSSH names a host in known_hosts: `host`, or `[host]:port` off port 22. */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Reads a known_hosts file. Lines OpenSSH would ignore (comments, broken keys, unknown markers) are left out. */
export function parseKnownHosts(text: string, file: string): readonly KnownHost[] {
  return text.split("\n").flatMap((raw, index): readonly KnownHost[] => {
    const found = /^[ \t]*(?:@(\S+)[ \t]+)?([^#@ \t]\S*)[ \t]+(\S+[ \t]+\S+)/.exec(raw.replace(/\r$/, ""));
    if (found === null) return [];
    const [, marker, hosts = "", keyText = ""] = found;
    const key = parseHostKey(keyText);
    if (key === undefined) return [];
    const entry = { file, line: index + 1, hosts, key };
    if (marker === undefined) return [entry];
    return marker === "revoked" || marker === "cert-authority" ? [{ ...entry, marker }] : [];
  });
}

/** Does the host field of a line mean this name (see {@link knownHostName})? */
export function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith("|")) return matchesHashed(hosts, name);
  let positive = false;
  for (const part of hosts.toLowerCase().split(",")) {
    const negated = part.startsWith("!");
    if (!wildcard(negated ? part.slice(1) : part).test(name)) continue;
    if (negated) return false;
    positive = true;
  }
  return positive;
}

function matchesHashed(hosts: string, name: string): boolean {
  const [, version, salt, digest] = hosts.split("|");
  if (version !== "1" || salt === undefined || digest === undefined) return false;
  const expected = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return sameKey(expected, Buffer.from(digest, "base64"));
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s");
}

interface Parsed {
  readonly stamp: string;
  readonly entries: readonly KnownHost[];
}

/**
 * The known_hosts files of one transport: parsed once per change of a file, and written by one append at a
 * time, each a single `O_APPEND` write, so that parallel first contacts lose no line.
 */
export class KnownHosts {
  readonly #parsed = new Map<string, Parsed>();
  readonly #writes = new Map<string, Promise<unknown>>();

  /** All lines about a host, in file order. A missing file is empty; an unreadable one is `known-hosts-unreadable`. */
  async lookup(files: readonly string[], host: string, port: number): Promise<readonly KnownHost[]> {
    const name = knownHostName(host, port);
    const all = await Promise.all(files.map((file) => this.#read(file)));
    return all.flat().filter((entry) => matchesHost(entry.hosts, name));
  }

  /**
   * Records a first contact. Resolves with the lines that already were there instead when somebody else
   * recorded the host first; nothing is written then, and the caller has to compare.
   */
  async append(file: string, host: string, port: number, key: HostKey): Promise<readonly KnownHost[]> {
    const earlier = this.#writes.get(file) ?? Promise.resolve();
    const write = earlier.then(
      () => this.#append(file, host, port, key),
      () => this.#append(file, host, port, key),
    );
    this.#writes.set(file, write);
    return write;
  }

  async #append(file: string, host: string, port: number, key: HostKey): Promise<readonly KnownHost[]> {
    const present = await this.lookup([file], host, port);
    if (present.some((entry) => entry.marker === undefined)) return present;
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      const line = `${knownHostName(host, port)} ${formatHostKey(key)}\n`;
      await appendFile(file, (await endsInsideLine(file)) ? `\n${line}` : line, { mode: 0o600 });
    } catch (error) {
      throw unreadable(file, "written", error);
    }
    return [];
  }

  async #read(file: string): Promise<readonly KnownHost[]> {
    try {
      const { mtimeMs, size, ino } = await stat(file);
      const stamp = `${mtimeMs}:${size}:${ino}`;
      const before = this.#parsed.get(file);
      if (before?.stamp === stamp) return before.entries;
      const entries = parseKnownHosts(await readFile(file, "utf8"), file);
      this.#parsed.set(file, { stamp, entries });
      return entries;
    } catch (error) {
      if (isMissing(error)) return [];
      throw unreadable(file, "read", error);
    }
  }
}

/** A file whose last line lacks its newline would swallow the next entry. */
async function endsInsideLine(file: string): Promise<boolean> {
  try {
    await using handle = await open(file, "r");
    const { size } = await handle.stat();
    if (size === 0) return false;
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return buffer[0] !== 0x0a;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function unreadable(file: string, verb: "read" | "written", cause: unknown): FleetError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FleetError("known-hosts-unreadable", `known_hosts file ${file} cannot be ${verb}: ${reason}`, {
    hint: "Fix its permissions, or name another file as knownHostsFile.",
    cause,
  });
}
