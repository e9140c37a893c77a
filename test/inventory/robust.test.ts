/** Whatever an inventory says, the answer is problems: never an exception, never a secret. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { formatProblems } from "../../src/inventory/report.ts";
import { validateSources } from "../../src/inventory/validate.ts";

const base: unknown = parse(
  readFileSync(new URL("../../inventory/examples/commons.yaml", import.meta.url), "utf8"),
);

type Path = readonly (string | number)[];

function paths(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, part]) =>
      paths(part, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function withValue(value: unknown, path: Path, replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  if (Array.isArray(value))
    return value.map((part, i) => (i === key ? withValue(part, rest, replacement) : part));
  return Object.fromEntries(
    Object.entries(value as object).map(([name, part]) => [
      name,
      name === key ? withValue(part, rest, replacement) : part,
    ]),
  );
}

const options = { baseDir: "/f", resolvePath: (path: string) => path, now: 0 };
const validate = (text: string) => validateSources([{ path: "i.yaml", text }], options);
const anywhere = fc.constantFrom(...paths(base));

test("a wrong value anywhere is reported, not thrown", () => {
  const odd = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      [],
      {},
      "",
      "x",
      -1,
      1.5,
      true,
      [null],
      { "": null },
      { __proto__x: 1 },
      "[1:2]",
      "0%",
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(anywhere, odd), { minLength: 1, maxLength: 3 }), (changes) => {
      const changed = changes.reduce<unknown>((value, [path, replacement]) => {
        try {
          return withValue(value, path, replacement);
        } catch {
          return value;
        }
      }, base);
      const text = stringify(changed);
      const { problems, inventory } = validate(text);
      if (inventory === undefined) expect(problems.some(({ severity }) => severity === "error")).toBe(true);
      expect(formatProblems(problems, { sources: [{ path: "i.yaml", text }] })).toBeTypeOf("string");
    }),
    { numRuns: 150 },
  );
});

test("a secret anywhere is refused and never shown", () => {
  const token = "K10c0ffee00c0ffee00c0ffee00c0ffee00::server:5ec4e7";
  const leaves = fc.constantFrom(...paths(base).filter((path) => path.length > 1));
  fc.assert(
    fc.property(leaves, (path) => {
      const text = stringify(withValue(base, path, token));
      const { problems } = validate(text);
      expect(problems.filter(({ code }) => code === "E501")).toHaveLength(1);
      const shown =
        JSON.stringify(problems) + formatProblems(problems, { sources: [{ path: "i.yaml", text }] });
      expect(shown).not.toContain("c0ffee");
      expect(shown).not.toContain("5ec4e7");
    }),
    { numRuns: 150 },
  );
});

test("broken text is a problem with a place", () => {
  const text = readFileSync(new URL("../../inventory/examples/homelab.yaml", import.meta.url), "utf8");
  fc.assert(
    fc.property(
      fc.nat(text.length),
      fc.constantFrom("{", "]", ":", "\t", '"', "*x", "&", "\n  - ", "---\n"),
      (at, noise) => {
        const { problems } = validate(text.slice(0, at) + noise + text.slice(at));
        for (const problem of problems) if (problem.at) expect(problem.at.line).toBeGreaterThan(0);
      },
    ),
    { numRuns: 150 },
  );
});
