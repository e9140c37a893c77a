import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFlakeClosureSource } from "./flake-source.ts";
import { handOver } from "./inventory-input.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "macula-nix-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const folder = (reference: string) => fileURLToPath(reference.replace(/^path:/, "file://"));

test("the same inventory is the same folder, another one another", async () => {
  const first = await handOver(join(dir, "a b"), '{"hosts":[]}\n');
  const other = await handOver(join(dir, "a b"), '{"hosts":[1]}\n');
  expect(await handOver(join(dir, "a b"), '{"hosts":[]}\n')).toBe(first);
  expect(other).not.toBe(first);
  expect(await readFile(join(folder(first), "fleet.json"), "utf8")).toBe('{"hosts":[]}\n');
  expect(await readFile(join(folder(other), "fleet.json"), "utf8")).toBe('{"hosts":[1]}\n');
});

test("its times say nothing: Nix counts them as a part of the input", async () => {
  const times = async () => {
    const directory = folder(await handOver(dir, "{}"));
    return Promise.all(
      [directory, join(directory, "fleet.json")].map(async (path) => (await stat(path)).mtimeMs),
    );
  };
  expect(await times()).toEqual([1000, 1000]);
  expect(await times()).toEqual([1000, 1000]);
});

test("what nobody used for a week goes", async () => {
  const root = join(dir, "flake-inventory");
  await mkdir(join(root, "old"), { recursive: true });
  await mkdir(join(root, "recent"));
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000);
  await utimes(join(root, "old"), ago(8), ago(8));
  await utimes(join(root, "recent"), ago(1), ago(1));
  await handOver(dir, "{}");
  const left = await readdir(root);
  expect(left).toContain("recent");
  expect(left).not.toContain("old");
  expect(left).toHaveLength(2);
});

test("the flake gets it as an input whenever it is read, and builds do not", async () => {
  const path = `/nix/store/${"0".repeat(32)}-system`;
  const asked: (readonly string[])[] = [];
  const source = createFlakeClosureSource({
    flakeRef: "path:/fleet",
    baseDir: "/",
    inputs: { inventory: "path:/state/fleet" },
    run: {
      async run({ args }) {
        asked.push(args);
        const systems = JSON.stringify({ "node-01": { drv: `${path}.drv`, out: path } });
        const metadata = JSON.stringify({ locked: { narHash: "sha256-abc" } });
        const stdout = args.includes("eval") ? systems : args.includes("metadata") ? metadata : "{}";
        return { code: 0, stdout, stderr: "" };
      },
      stream: () => {
        throw new Error("nothing is streamed here");
      },
    },
  });
  const { signal } = new AbortController();
  await source.build([{ name: "node-01" }], await source.revision(undefined, { signal }), { signal });
  const given = asked.map((args) => args.join(" ")).filter((line) => line.includes("--override-input"));
  expect(given).toEqual([
    expect.stringContaining(" flake metadata --override-input inventory path:/state/fleet "),
    expect.stringContaining(" eval --override-input inventory path:/state/fleet "),
  ]);
});
