import { expect, it } from "vitest";
import { checkRevision, matchesHost, newCatalog, systemFor } from "./catalog.ts";

const catalog = {
  ...newCatalog("r2", ["r1", "r2"]),
  releases: { r3: { behaviour: "bad-health" as const, hosts: ["node-0[", "node-1*", "node-02,node-03"] } },
};

it.each([
  ["node-01", "r3", "good"],
  ["node-02", "r3", "bad-health"],
  ["node-03", "r3", "bad-health"],
  ["node-17", "r3", "bad-health"],
  ["xnode-17", "r3", "good"],
  ["node-17", "never-heard-of", "good"],
])("%s of %s is %s", (host, revision, behaviour) => {
  expect(systemFor(catalog, host, revision).behaviour).toBe(behaviour);
});

it("has globs as a shell has them, and nothing more", () => {
  expect(matchesHost(["node-0?"], "node-01")).toBe(true);
  expect(matchesHost(["node-0?"], "node-011")).toBe(false);
  expect(matchesHost(["node.01"], "node-01")).toBe(false);
  expect(matchesHost([], "node-01")).toBe(false);
});

it.each(["", "a b", "../r1", "-r", "a/b", "x".repeat(65)])("refuses %j as the name of a release", (name) => {
  expect(() => checkRevision(name)).toThrow(/cannot name a release/);
});
