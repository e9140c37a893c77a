import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatHostKey, type HostKey } from "./host-key.ts";
import { judge } from "./host-trust.ts";
import { KnownHosts, knownHostName, matchesHost, parseKnownHosts } from "./known-hosts.ts";

/** A well-formed ed25519 public key from 32 bytes; nobody checks that it is a point on the curve. */
function keyFrom(bytes: Uint8Array): HostKey {
  const text = (data: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, data]);
  };
  return { type: "ssh-ed25519", blob: Buffer.concat([text(Buffer.from("ssh-ed25519")), text(bytes)]) };
}

const key = (n: number) => keyFrom(Buffer.alloc(32, n));
let dir: string;
let count = 0;
const path = () => join(dir, `known-${count++}`);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "known-hosts-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("parsing", () => {
  test("keeps line numbers across comments, blank and broken lines", () => {
    const text = [
      "# comment",
      "",
      `a ${formatHostKey(key(1))} comment here`,
      "broken",
      "b ssh-ed25519 notbase64!",
      `c ssh-rsa ${key(1).blob.toString("base64")}`,
      `  @revoked\t*.b ${formatHostKey(key(2))}\r`,
      `@cert-authority d ${formatHostKey(key(3))}`,
      `@else d ${formatHostKey(key(3))}`,
    ].join("\n");
    expect(parseKnownHosts(text, "f").map(({ line, marker, hosts }) => [line, marker, hosts])).toEqual([
      [3, undefined, "a"],
      [7, "revoked", "*.b"],
      [8, "cert-authority", "d"],
    ]);
  });
});

describe("matching", () => {
  test.for([
    ["a", "a", true],
    ["A.Example", "a.example", true],
    ["a,b", "b", true],
    ["*.lan", "x.lan", true],
    ["*.lan", "lan", false],
    ["n?", "n1", true],
    ["n?", "n", false],
    ["*,!b", "b", false],
    ["!b", "a", false],
    ["[a]:2222", "[a]:2222", true],
    ["a", "[a]:2222", false],
    ["a.b", "axb", false],
    ["|1|bad", "a", false],
  ] as const)("%s against %s", ([hosts, name, expected]) => {
    expect(matchesHost(hosts, name)).toBe(expected);
  });

  test("the port is part of the name, except 22", () => {
    expect([knownHostName("H", 22), knownHostName("H", 23), knownHostName("::1", 23)]).toEqual([
      "h",
      "[h]:23",
      "[::1]:23",
    ]);
  });
});

const hasKeygen = spawnSync("ssh-keygen", ["-?"]).error === undefined;
describe.skipIf(!hasKeygen && process.env.CI === undefined)("beside ssh-keygen", () => {
  const label = fc.stringMatching(/^[a-c]{1,2}$/);
  const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
  const port = fc.constantFrom(22, 22, 2222);
  const name = fc.tuple(host, port).map(([h, p]) => knownHostName(h, p));
  const pattern = fc.oneof(
    name,
    name.map((n) => `!${n}`),
    fc.constantFrom("*", "?", "a*", "*.a", "[a]:*", "*.b?", "!*.c", "!a*"),
  );
  const hosts = fc.array(pattern, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(","));
  const line = fc
    .tuple(fc.constantFrom("", "", "", "@revoked ", "@cert-authority "), hosts, fc.nat({ max: 255 }))
    .map(([marker, field, n]) => `${marker}${field} ${formatHostKey(key(n))}`);
  const file = fc.array(fc.oneof({ weight: 5, arbitrary: line }, fc.constantFrom("# a", "", "a")), {
    maxLength: 6,
  });

  /** Line numbers `ssh-keygen -F` reports. */
  function keygenLines(known: string, query: string): readonly number[] {
    const { stdout } = spawnSync("ssh-keygen", ["-F", query, "-f", known], { encoding: "utf8" });
    return [...stdout.matchAll(/^# Host .* found: line (\d+)/gm)].map(([, n]) => Number(n));
  }

  test("finds the same lines as ssh-keygen -F", async () => {
    await fc.assert(
      fc.asyncProperty(file, host, port, async (lines, queryHost, queryPort) => {
        const known = path();
        writeFileSync(known, `${lines.join("\n")}\n`);
        const found = await new KnownHosts().lookup([known], queryHost, queryPort);
        expect(found.map((entry) => entry.line)).toEqual(
          keygenLines(known, knownHostName(queryHost, queryPort)),
        );
      }),
      { numRuns: 150 },
    );
  });

  test("finds in a file hashed by ssh-keygen -H exactly the hosts that were in it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
        host,
        port,
        async (names, h, p) => {
          const known = path();
          writeFileSync(known, names.map((n, i) => `${n} ${formatHostKey(key(i))}\n`).join(""));
          execFileSync("ssh-keygen", ["-q", "-H", "-f", known], { stdio: "ignore" });
          const found = await new KnownHosts().lookup([known], h, p);
          expect(found.map((entry) => entry.line - 1)).toEqual(
            [names.indexOf(knownHostName(h, p))].filter((i) => i >= 0),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  test("ssh-keygen finds what was appended", async () => {
    const known = path();
    await new KnownHosts().append(known, "2001:db8::1", 2222, key(1));
    expect(keygenLines(known, "[2001:db8::1]:2222")).toEqual([1]);
  });
});

describe("appending", () => {
  test("many hosts at once, from two stores, lose no line", async () => {
    const known = path();
    writeFileSync(known, `a ${formatHostKey(key(1))}`); // no newline at the end
    const stores = [new KnownHosts(), new KnownHosts()];
    await Promise.all(
      Array.from({ length: 100 }, (_, n) => stores[n % 2]?.append(known, `host-${n}`, 22, key(n))),
    );
    const entries = parseKnownHosts(readFileSync(known, "utf8"), known);
    expect(entries.map((entry) => entry.hosts).sort()).toEqual(
      ["a", ...Array.from({ length: 100 }, (_, n) => `host-${n}`)].sort(),
    );
  });

  test("a host that is there already is not written again, but handed back", async () => {
    const known = path();
    const store = new KnownHosts();
    const [first, second] = await Promise.all([
      store.append(known, "h", 22, key(1)),
      store.append(known, "h", 22, key(2)),
    ]);
    expect(first).toEqual([]);
    expect(second.map((entry) => entry.key)).toEqual([key(1)]);
    expect(readFileSync(known, "utf8")).toBe(`h ${formatHostKey(key(1))}\n`);
  });

  test("a change made by somebody else is seen", async () => {
    const known = path();
    const store = new KnownHosts();
    expect(await store.lookup([known], "h", 22)).toEqual([]);
    writeFileSync(known, `h ${formatHostKey(key(1))}\n`);
    expect(await store.lookup([known], "h", 22)).toHaveLength(1);
  });

  test("a file that cannot be read is an error, not an empty file", async () => {
    await expect(new KnownHosts().lookup([dir], "h", 22)).rejects.toMatchObject({
      code: "known-hosts-unreadable",
    });
  });
});

describe("judging", () => {
  const entries = (text: string) => parseKnownHosts(text, "known");
  test("a key of another type than the recorded one counts as changed", () => {
    const rsa: HostKey = { type: "ssh-rsa", blob: Buffer.from("\0\0\0\x07ssh-rsa") };
    expect(judge(rsa, { pins: [], entries: entries(`h ${formatHostKey(key(1))}`) })).toMatchObject({
      kind: "changed",
    });
  });

  test("a revocation counts even against a pin", () => {
    const trust = { pins: [key(1)], entries: entries(`@revoked * ${formatHostKey(key(1))}`) };
    expect(judge(key(1), trust)).toMatchObject({ kind: "revoked" });
  });

  test("any of several recorded keys is trusted", () => {
    const text = `h ${formatHostKey(key(1))}\nh ${formatHostKey(key(2))}`;
    expect(judge(key(2), { pins: [], entries: entries(text) })).toEqual({ kind: "trusted" });
  });
});
