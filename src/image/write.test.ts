import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { BlockDevice } from "./devices.ts";
import { type WriteCall, writeImage } from "./write.ts";

let dir: string;
let disk: string;
const content = randomBytes(5_000_000);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-image-"));
  disk = join(dir, "disk");
  await writeFile(disk, "what was there before");
  await truncate(disk, 8_000_000);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A file in place of a stick; `more` says how it differs from a good one. */
const device = (more: Partial<BlockDevice> = {}): BlockDevice => ({
  path: disk,
  size: 8_000_000,
  model: "Stick",
  serial: "S",
  removable: true,
  readOnly: false,
  type: "disk",
  uses: [],
  contents: [],
  ...more,
});
const call = (more: Partial<WriteCall> = {}) =>
  writeImage({
    image: join(dir, "image.img"),
    device: disk,
    list: async () => [device()],
    signal: new AbortController().signal,
    confirm: async () => true,
    ...more,
  });
const untouched = async () =>
  expect((await readFile(disk)).subarray(0, 21).toString()).toBe("what was there before");

it.each([
  ["image.img", content],
  ["image.img.zst", zstdCompressSync(content)],
  ["image.img.gz", gzipSync(content)],
])("writes %s and reads it back", async (name, bytes) => {
  await writeFile(join(dir, name), bytes);
  await symlink(disk, join(dir, "by-id"));
  const asked: string[] = [];
  const confirm = async (text: string) => asked.push(text) > 0;
  expect(await call({ image: join(dir, name), device: join(dir, "by-id"), confirm })).toMatchObject({
    bytes: content.length,
  });
  expect((await readFile(disk)).subarray(0, content.length).equals(content)).toBe(true);
  expect(asked).toEqual([`${disk} (Stick, serial S) will be ERASED.`]);
});

it("writes nothing without consent, nor to a disk that must not be written to", async () => {
  await writeFile(join(dir, "image.img"), content);
  expect(await call({ confirm: async () => false })).toBeNull();
  for (const more of [{ removable: false }, { uses: ["/"] }, { uses: ["/media/x"] }, { size: 10 }]) {
    await expect(call({ list: async () => [device(more)] })).rejects.toMatchObject({
      code: "host-unsuitable",
    });
  }
  await untouched();
});

it("looks again after the answer: somebody may have mounted or swapped the disk meanwhile", async () => {
  await writeFile(join(dir, "image.img"), content);
  for (const then of [{ uses: ["/media/x"] }, { serial: "OTHER" }]) {
    let asked = false;
    const confirm = async () => {
      asked = true;
      return true;
    };
    await expect(call({ confirm, list: async () => [device(asked ? then : {})] })).rejects.toMatchObject({
      code: "host-unsuitable",
    });
  }
  await untouched();
});

it("notices a disk that does not hold what was written", async () => {
  await writeFile(join(dir, "image.img"), content);
  // The disk loses a byte between writing and reading.
  const onProgress: WriteCall["onProgress"] = (phase, bytes) => {
    if (phase === "writing" && bytes === content.length) corrupt();
  };
  const { openSync, writeSync, closeSync } = await import("node:fs");
  const corrupt = () => {
    const file = openSync(disk, "r+");
    writeSync(file, Buffer.from([~(content[100] ?? 0) & 0xff]), 0, 1, 100);
    closeSync(file);
  };
  await expect(call({ onProgress })).rejects.toMatchObject({
    message: expect.stringContaining("does not hold"),
  });
});

it("refuses images that are missing or damaged", async () => {
  await expect(call()).rejects.toMatchObject({ code: "usage" });
  await writeFile(join(dir, "a.gz"), gzipSync(content).subarray(0, 1000));
  await expect(call({ image: join(dir, "a.gz") })).rejects.toMatchObject({
    message: expect.stringContaining("damaged"),
  });
  await untouched();
});

it.each([
  ["image.img", Buffer.alloc(0)],
  ["image.img.gz", gzipSync("")],
])("takes an empty %s for no image, and asks nobody", async (name, bytes) => {
  await writeFile(join(dir, name), bytes);
  const confirm = async () => {
    throw new Error("asked");
  };
  await expect(call({ image: join(dir, name), confirm })).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("is empty: nothing is written"),
  });
  await untouched();
});
