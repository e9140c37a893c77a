/** Mutation testing runs now and then; what it would look at is checked always. */
import { globSync } from "node:fs";
import { createRequire } from "node:module";
import { matchesGlob } from "node:path";
import { describe, expect, test } from "vitest";
import { strykerPlugins } from "./human-text.ts";
import { AREAS, SHELL } from "./scope.ts";

const stryker: { readonly default: { readonly thresholds: { readonly break: number } } } = await import(
  new URL("../../stryker.config.mjs", import.meta.url).href
);
const { forbidden } = createRequire(import.meta.url)("../../.dependency-cruiser.cjs") as {
  forbidden: { name: string; from: { path: string } }[];
};
const pure = new RegExp(forbidden.find((rule) => rule.name === "pure-stays-pure")?.from.path ?? "^$");

const mutated = ({ mutate }: { readonly mutate: readonly string[] }): string[] => {
  const not = mutate.flatMap((glob) => (glob.startsWith("!") ? [glob.slice(1)] : []));
  return globSync(mutate.filter((glob) => !glob.startsWith("!")))
    .filter((path) => !not.some((glob) => matchesGlob(path, glob)))
    .sort();
};

test.each(Object.entries(AREAS))("%s: what is pure is mutated, and nothing else", (name, area) => {
  const all = globSync(`src/${name}/*.ts`, { exclude: (path) => path.endsWith(".test.ts") });
  expect(mutated(area)).toEqual(all.filter((path) => pure.test(path)).sort());
});

test("what acts is named, and exists", () => {
  expect(globSync([...SHELL]).sort()).toEqual([...SHELL].sort());
});

test.each(Object.entries(AREAS))("%s: each place where its tests are has some", (_name, { tests }) => {
  for (const glob of tests) expect(globSync(glob), glob).not.toEqual([]);
});

test("too many survivors fail the run", () => {
  expect(stryker.default.thresholds.break).toBeGreaterThanOrEqual(85);
});

describe("sentences are left alone, nothing else", () => {
  const ignores = strykerPlugins[0]?.value as { shouldIgnore(path: object): string | undefined };
  const text = (value: string) => ({ type: "StringLiteral", value });
  const name = { type: "Identifier" };
  const template = (quasis: readonly string[], ...expressions: readonly object[]) => ({
    type: "TemplateLiteral",
    quasis: quasis.map((cooked) => ({ value: { cooked } })),
    expressions,
  });

  test.each([
    [text("healthy long enough"), true],
    [text("paused"), false],
    [text(" "), false],
    [text(""), false],
    [template(["wave ", " is done"], name), true],
    [template(["", "/", ""], name, name), false],
    [template(["copied ", " bytes"], { type: "MemberExpression", computed: false, object: name }), true],
    [template(["copied ", " bytes"], { type: "CallExpression" }), false],
    [{ type: "NumericLiteral" }, false],
  ])("%j", (node, ignored) => {
    expect(ignores.shouldIgnore({ node }) !== undefined).toBe(ignored);
  });
});
