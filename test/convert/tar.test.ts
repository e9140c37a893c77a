/** Our tar against the system's, both ways, with any name and content. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Entry, readTar } from "../../src/tar/read.ts";
import { writeTar } from "../../src/tar/write.ts";

const entry = (path: string, content: Uint8Array, more: Partial<Entry> = {}): Entry => ({
  path,
  type: "file",
  mode: 0o640,
  uid: 1234,
  gid: 4321,
  size: content.length,
  mtime: 1_700_000_000,
  link: "",
  extra: new Map(),
  body: (async function* () {
    yield content;
  })(),
  ...more,
});

async function bytes(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** In pieces of odd sizes, as a network delivers them. */
async function* pieces(data: Uint8Array, size: number) {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function entries(data: Uint8Array, size = 1009): Promise<Omit<Entry, "body">[]> {
  const found: Omit<Entry, "body">[] = [];
  for await (const { body, ...rest } of readTar(pieces(data, size))) {
    found.push({ ...rest, extra: new Map([...rest.extra, ["content", await bytes(body)]]) });
  }
  return found;
}

test("what is written is read back, whatever it is called and holds", async () => {
  const name = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 150 })
    .filter((n) => !/[\0/]/.test(n) && n !== "." && n !== "..");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 1500 })), { maxLength: 5 }),
      fc.integer({ min: 1, max: 3000 }),
      async (files, size) => {
        const data = await bytes(writeTar(files.map(([n, content]) => entry(`d/${n}`, content))));
        expect(data.length % 512).toBe(0);
        const back = await entries(data, size);
        expect(back.map((e) => e.path)).toEqual(files.map(([n]) => `d/${n}`));
        expect(back.map((e) => Buffer.from(e.extra.get("content") ?? []).toString("hex"))).toEqual(
          files.map(([, c]) => Buffer.from(c).toString("hex")),
        );
        for (const e of back) expect(e).toMatchObject({ uid: 1234, gid: 4321, mode: 0o640, type: "file" });
      },
    ),
    { numRuns: 60 },
  );
});

test("the system's tar reads ours, and we its", async () => {
  const dir = mkdtempSync(join(tmpdir(), "mf-tar-"));
  try {
    const long = `${"long/".repeat(40)}name`;
    const file = join(dir, "ours.tar");
    writeFileSync(
      file,
      await bytes(
        writeTar([
          entry("dir", new Uint8Array(), { type: "directory", mode: 0o2755 }),
          entry(long, Buffer.from("hello")),
          entry("ln", new Uint8Array(), { type: "symlink", link: long }),
        ]),
      ),
    );
    const listed = execFileSync("tar", ["--numeric-owner", "-tvf", file], { encoding: "utf8" });
    expect(listed).toMatch(/drwxr-sr-x 1234\/4321/);
    expect(listed).toContain(`-> ${long}`);
    mkdirSync(join(dir, "x"));
    execFileSync("tar", ["--no-same-owner", "-C", join(dir, "x"), "-xf", file]);
    expect(readFileSync(join(dir, "x", long), "utf8")).toBe("hello");
    for (const format of ["posix", "gnu", "ustar"]) {
      const theirs = execFileSync(
        "tar",
        [`--format=${format}`, "-C", join(dir, "x"), "-cf", "-", format === "ustar" ? "dir" : "."],
        { maxBuffer: 1 << 26 },
      );
      const paths = (await entries(theirs)).map((e) => e.path);
      expect(paths).toContain("dir");
      if (format !== "ustar") expect(paths).toContain(long);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("an archive that ends early or was damaged is no archive", async () => {
  const data = await bytes(writeTar([entry("a", Buffer.alloc(2000, 1)), entry("b", Buffer.from("x"))]));
  for (const cut of [100, 512, 700, 2560, 3000])
    await expect(entries(data.subarray(0, cut))).rejects.toThrow(/ends early/);
  const damaged = Uint8Array.from(data);
  damaged[3] = 99;
  await expect(entries(damaged)).rejects.toThrow(/does not add up/);
});

test("archives one after the other are one, where that is asked for", async () => {
  const one = await bytes(writeTar([entry("a", Buffer.from("1"))]));
  const two = Buffer.concat([one, await bytes(writeTar([entry("b", Buffer.from("2"))]))]);
  const paths = async (data: Uint8Array, several: boolean) => {
    const found: string[] = [];
    for await (const e of readTar(pieces(data, 1009), { several })) found.push(e.path);
    return found;
  };
  expect(await paths(two, true)).toEqual(["a", "b"]);
  expect(await paths(two, false)).toEqual(["a"]);
  // Between two of them it is whole; within one it is not.
  expect(await paths(two.subarray(0, one.length), true)).toEqual(["a"]);
  for (const cut of [one.length - 1024, one.length + 100, two.length - 1024])
    await expect(paths(two.subarray(0, cut), true)).rejects.toThrow(/ends early/);
});
