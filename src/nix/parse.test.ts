import { describe, expect, it } from "vitest";
import {
  lastLines,
  parseClosureDiff,
  parseEvaluated,
  parseFlakeMetadata,
  parseNixVersion,
  parsePathInfo,
  parsePaths,
  systemVersion,
} from "./parse.ts";

const A = "/nix/store/00000000000000000000000000000000-a-1.0";
const B = "/nix/store/11111111111111111111111111111111-b-2.0";

describe("parseNixVersion", () => {
  it.each([
    ["nix (Nix) 2.8.0", "2.8.0"],
    ["nix (Nix) 2.34.1", "2.34.1"],
    ["nix (Nix) 2.27pre20250101_abc", "2.27"],
    ["nix (Lix, like Nix) 2.93.0", "2.93.0"],
    ["nix (Determinate Nix 3.6.0) 2.29.0", "2.29.0"],
    ["warning: something\nnix (Nix) 2.26.3\n", "2.26.3"],
  ])("%s", (text, version) => {
    expect(parseNixVersion(text)).toBe(version);
  });
  it("does not guess", () => {
    expect(parseNixVersion("bash: nix: command not found")).toBeNull();
  });
});

describe("parsePathInfo", () => {
  const info = { narSize: 10, closureSize: 30, references: [], deriver: null };
  const expected = new Map([[A, { size: 10, closureSize: 30 }]]);
  it.each([
    ["a list (Nix 2.8)", [{ path: A, valid: true, ...info }]],
    ["a map by path (Nix 2.19)", { [A]: info }],
    [
      "a map by base name in an envelope (Nix 2.33)",
      { info: { [A.slice(11)]: info }, storeDir: "/nix/store", version: 2 },
    ],
  ])("reads %s", (_, json) => {
    expect(parsePathInfo(JSON.stringify(json))).toEqual(expected);
  });
  it("leaves out what is not in the store", () => {
    expect(parsePathInfo(JSON.stringify([{ path: B, valid: false }]))).toEqual(new Map());
    expect(parsePathInfo(JSON.stringify({ [A]: info, [B]: null }))).toEqual(expected);
  });
  it("has hashes as nix-store prints them, whichever way they are said", () => {
    const empty = "sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
    for (const narHash of [empty, "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])
      expect(parsePathInfo(JSON.stringify({ [A]: { ...info, narHash } })).get(A)?.hash).toBe(empty);
    for (const narHash of ["sha1:x", "sha256-x", `sha256:${"e".repeat(52)}`])
      expect(parsePathInfo(JSON.stringify({ [A]: { ...info, narHash } }))).toEqual(expected);
  });
  it("knows sizes only when they were asked for", () => {
    expect(parsePathInfo(JSON.stringify({ [A]: { narSize: 10 } })).get(A)).toEqual({
      size: 10,
      closureSize: 0,
    });
  });
  it("refuses what it does not understand", () => {
    expect(() => parsePathInfo('{"path":3}')).toThrow(SyntaxError);
    expect(() => parsePathInfo("no json")).toThrow(SyntaxError);
  });
});

describe("parseEvaluated", () => {
  it("keeps hosts the flake lacks apart", () => {
    const json = JSON.stringify({ a: { drv: `${A}.drv`, out: A }, b: null });
    expect(parseEvaluated(json)).toEqual({ a: { drv: `${A}.drv`, out: A }, b: null });
    expect(() => parseEvaluated('{"a":1}')).toThrow(SyntaxError);
  });
});

describe("parseFlakeMetadata", () => {
  it("prefers the revision of a clean work tree", () => {
    expect(parseFlakeMetadata('{"revision":"abc","locked":{"narHash":"sha256-x="}}')).toEqual({
      rev: "abc",
      narHash: "sha256-x=",
    });
    expect(parseFlakeMetadata('{"locked":{"rev":"def"}}')).toEqual({ rev: "def" });
    expect(parseFlakeMetadata("{}")).toEqual({});
  });
});

describe("parseClosureDiff", () => {
  it("reads versions, absence and sizes, with or without colours", () => {
    const text = [
      "app: 1.1 → 1.2, +12.5 KiB",
      "\u001b[1mblob\u001b[0m: \u001b[31;1m-2.0 MiB\u001b[0m",
      "gone: 3.0 → ∅, -4 B",
      "new: ∅ → 1.0, 1.1",
      "unversioned: ε → ∅",
    ].join("\n");
    expect(parseClosureDiff(text)).toEqual([
      { name: "app", before: ["1.1"], after: ["1.2"], bytes: 12800 },
      { name: "blob", before: [], after: [], bytes: -2097152 },
      { name: "gone", before: ["3.0"], after: [], bytes: -4 },
      { name: "new", before: [], after: ["1.0", "1.1"], bytes: 0 },
      { name: "unversioned", before: [""], after: [], bytes: 0 },
    ]);
  });
  it("is empty for equal systems", () => {
    expect(parseClosureDiff("\n")).toEqual([]);
  });
});

describe("systemVersion", () => {
  it.each([
    ["nixos-system-node-01-26.05.20261118.abcdef", "26.05.20261118.abcdef"],
    ["nixos-system-a-25.11-b-26.05pre-git", "25.11-b-26.05pre-git"],
    ["nixos-system-node-01-26.05.lab-r2", "26.05.lab-r2"],
    ["nixos-system-custom", ""],
    ["hello-2.12", ""],
  ])("%s", (name, version) => {
    expect(systemVersion(`/nix/store/00000000000000000000000000000000-${name}`)).toBe(version);
  });
});

describe("text", () => {
  it("keeps the end of a log, without colours", () => {
    const log = Array.from({ length: 30 }, (_, i) => `\u001b[31mline ${i}\u001b[0m`).join("\n");
    expect(lastLines(`${log}\n`).split("\n")).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i + 10}`));
    // Without the warnings that Nix repeats, where there is an error to see.
    expect(lastLines("warning: a\nwarning: b\nerror: c\n  d")).toBe("error: c\n  d");
    expect(lastLines("warning: a")).toBe("warning: a");
  });
  it("takes store paths only", () => {
    expect(parsePaths(`warning: x\n${A}\n${B}\n`)).toEqual([A, B]);
  });
});
