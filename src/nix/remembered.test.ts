import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { evaluateRemembered } from "./remembered.ts";
import type { NixRunner } from "./runner.ts";

const signal = new AbortController().signal;
const path = (name: string) => `/nix/store/${"0".repeat(32)}-${name}`;

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "macula-remembered-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Nix whose flake is locked at `state.rev`, and whose store lost the derivations in `state.gone`. */
function nix() {
  const state = {
    rev: "1" as string | undefined,
    gone: [] as string[],
    evaluated: [] as string[],
    version: "2.8.0",
  };
  const answer = (args: readonly string[]): string => {
    if (args.includes("metadata")) {
      return JSON.stringify({
        locked: { type: "git", rev: state.rev },
        locks: { root: "root", nodes: { root: {} } },
      });
    }
    if (args.includes("--version")) return `nix (Nix) ${state.version}`;
    if (args.includes("--print-invalid")) return args.filter((arg) => state.gone.includes(arg)).join("\n");
    const hosts = [...(args.at(-1)?.matchAll(/"([^"]+)"/g) ?? [])].map((m) => m[1] ?? "");
    state.evaluated.push(...hosts);
    return JSON.stringify(Object.fromEntries(hosts.map((h) => [h, { drv: path(`${h}.drv`), out: path(h) }])));
  };
  const run: NixRunner = {
    run: async ({ args }) => ({ code: 0, stdout: answer(args), stderr: "" }),
    stream: () => {
      throw new Error("nothing is streamed here");
    },
  };
  const ask = async (hosts: readonly string[], more: object = {}): Promise<readonly string[]> => {
    state.evaluated = [];
    const o = { run, nixOptions: [], spread: () => ({ jobs: 1, chunkSize: 9, heapBytes: 1 }), ...more };
    const systems = await evaluateRemembered(directory, "f", hosts, o, { signal });
    expect([...systems]).toEqual(hosts.map((h) => [h, { drv: path(`${h}.drv`), out: path(h) }]));
    return state.evaluated;
  };
  return { state, ask };
}

it("evaluates a host once for the same inputs, and others beside it", async () => {
  const { ask } = nix();
  expect(await ask(["a", "b"])).toEqual(["a", "b"]);
  expect(await ask(["b", "a"])).toEqual([]);
  expect(await ask(["a", "c"])).toEqual(["c"]);
  expect(await ask(["a", "b", "c"])).toEqual([]);
});

it("evaluates again for other inputs, another Nix, another attribute", async () => {
  const { state, ask } = nix();
  await ask(["a"]);
  expect(await ask(["a"], { attribute: "diskoScript" })).toEqual(["a"]);
  expect(await ask(["a"], { nixOptions: ["--option", "x", "y"] })).toEqual(["a"]);
  state.version = "2.26.3";
  expect(await ask(["a"])).toEqual(["a"]);
  state.rev = "2";
  expect(await ask(["a"])).toEqual(["a"]);
  expect(await ask(["a"])).toEqual([]);
});

it("evaluates again what garbage collection took", async () => {
  const { state, ask } = nix();
  await ask(["a", "b"]);
  state.gone = [path("a.drv")];
  expect(await ask(["a", "b"])).toEqual(["a"]);
});

it("remembers nothing of what is not pinned, and nothing impure", async () => {
  const { state, ask } = nix();
  await ask(["a"], { nixOptions: ["--impure"] });
  state.rev = undefined;
  await ask(["a"]);
  expect(await ask(["a"])).toEqual(["a"]);
  expect(await readdir(directory)).toEqual([]);
});

it("takes a broken memory for none", async () => {
  const { ask } = nix();
  await ask(["a"]);
  for (const file of await readdir(directory)) await writeFile(join(directory, file), '{"a": {"drv"');
  expect(await ask(["a"])).toEqual(["a"]);
  expect(await ask(["a"])).toEqual([]);
});
