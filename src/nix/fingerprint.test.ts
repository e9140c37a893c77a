import { expect, it } from "vitest";
import { fingerprint } from "./fingerprint.ts";

const flake = (locked: object | undefined, nodes: object = {}) =>
  JSON.stringify({ locked, locks: { root: "root", version: 7, nodes: { root: { inputs: {} }, ...nodes } } });
const git = { type: "git", rev: "a".repeat(40) };
const input = (locked?: object) => ({ input: { locked, original: {} } });

it("is the same for the same pinned inputs, and another for others", () => {
  const pinned = flake(git, input({ type: "path", path: "/x", narHash: "sha256-1" }));
  expect(fingerprint(pinned)).toBe(fingerprint(pinned));
  expect(fingerprint(pinned)).not.toBe(
    fingerprint(flake(git, input({ type: "path", path: "/x", narHash: "sha256-2" }))),
  );
  expect(fingerprint(pinned)).not.toBe(fingerprint(flake({ ...git, rev: "b".repeat(40) })));
});

it("does not depend on whether the commit was fetched or there already", () => {
  expect(fingerprint(flake({ ...git, ref: "main" }))).toBe(fingerprint(flake(git)));
});

it("takes a folder of the flake itself as pinned with it", () => {
  expect(fingerprint(flake(git, input({ type: "path", path: "./inventory" })))).not.toBeNull();
});

it.each([
  ["a dirty work tree", flake({ type: "git", url: "file:///f" })],
  ["no lock", flake(undefined)],
  ["an input that floats", flake(git, input({ type: "github", owner: "NixOS" }))],
  ["a folder elsewhere without a hash", flake(git, input({ type: "path", path: "/x" }))],
  ["an input without a lock", flake(git, input())],
  ["something else", "[]"],
])("is nothing for %s", (_, metadata) => expect(fingerprint(metadata)).toBeNull());
