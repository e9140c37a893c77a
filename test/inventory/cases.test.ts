/** Runs `test/cases/inventory/*.yaml`: a new rule or a new mistake is a new case there, no code. See its README. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { Problem } from "../../src/inventory/model.ts";
import type { HostFacts } from "../../src/inventory/rules/rule.ts";
import { validateSources } from "../../src/inventory/validate.ts";

interface Case {
  readonly about: string;
  readonly inventory: string;
  /** Further files of the directory, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** The texts bring their own `apiVersion`, `kind` and `fleet`. */
  readonly standalone?: boolean;
  readonly purpose?: "install" | "other";
  readonly now?: string;
  readonly facts?: Readonly<Record<string, HostFacts>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** What the kind of a check says about it, by the check's name. */
  readonly checks?: Readonly<Record<string, readonly string[]>>;
  /** Codes that may appear without being listed. */
  readonly ignore?: readonly string[];
  readonly expect: readonly Expected[];
}

interface Expected {
  readonly code: string;
  readonly severity?: Problem["severity"];
  readonly path?: string;
  /** `line` or `line:col` in `inventory`, or `file:line:col`. */
  readonly at?: string;
  readonly says?: string;
  readonly fix?: string;
}

const HEADER = `apiVersion: macula.io/v1
kind: FleetInventory
fleet: {name: case, realm: org.example.case, flake: ./flake, release: "26.05"}
`;
/** True of nearly every small inventory, so listed only where they are the point. */
const QUIET = ["W201", "W202", "W502"];

const folder = new URL("../cases/inventory/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

function run(each: Case): readonly Problem[] {
  const texts = {
    ...(each.standalone ? {} : { "header.yaml": HEADER }),
    ...each.files,
    "inventory.yaml": each.inventory,
  };
  return validateSources(
    Object.entries(texts).map(([path, text]) => ({ path, text })),
    {
      baseDir: "/fleet",
      resolvePath: (path) => `/fleet/${path}`,
      now: Date.parse(each.now ?? "2026-11-23"),
      purpose: each.purpose ?? "other",
      facts: (host) => each.facts?.[host],
      validateCheck: ({ name }) => each.checks?.[name] ?? [],
      secretFile: (path) => each.secrets?.[path],
    },
  ).problems;
}

const place = ({ at }: Problem, wanted: string): string => {
  if (at === undefined) return "nowhere";
  const full = `${at.file}:${at.line}:${at.col}`;
  return wanted.includes(".yaml") ? full : wanted.includes(":") ? `${at.line}:${at.col}` : String(at.line);
};

test("there are cases", () => expect(files.length).toBeGreaterThan(30));

describe.each(files)("%s", (file) => {
  const cases = parseAllDocuments(readFileSync(new URL(file, folder), "utf8")).map(
    (document): Case => document.toJS(),
  );
  test.each(cases)("$about", (each) => {
    const problems = run(each);
    const listed = each.expect.map(({ code }) => code);
    const quiet = [...QUIET, ...(each.ignore ?? [])].filter((code) => !listed.includes(code));
    const found = problems.filter(({ code }) => !quiet.includes(code));
    expect(found.map(({ code, path, message }) => `${code} ${path}: ${message}`)).toHaveLength(listed.length);
    const left = [...found];
    for (const wanted of each.expect) {
      const fits = (problem: Problem) =>
        problem.code === wanted.code &&
        (wanted.severity ?? problem.severity) === problem.severity &&
        (wanted.path ?? problem.path) === problem.path &&
        (wanted.at === undefined || place(problem, String(wanted.at)) === String(wanted.at)) &&
        problem.message.includes(wanted.says ?? "") &&
        (problem.fix ?? "").includes(wanted.fix ?? "");
      const index = left.findIndex(fits);
      const rest = left.map(({ at, ...problem }) => `${at?.line}:${at?.col} ${JSON.stringify(problem)}`);
      if (index < 0) expect.fail(`nothing fits ${JSON.stringify(wanted)} in\n${rest.join("\n")}`);
      left.splice(index, 1);
    }
  });
});

test("every code a rule can report has a case", () => {
  const covered = new Set(
    files.flatMap((file) =>
      [...readFileSync(new URL(file, folder), "utf8").matchAll(/code: ([EWI]\d{3})/g)].map(
        ([, code]) => code,
      ),
    ),
  );
  const sources = new URL("../../src/inventory/", import.meta.url);
  const reported = new Set(
    readdirSync(sources, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .flatMap((name) =>
        [...readFileSync(new URL(name, sources), "utf8").matchAll(/"([EWI]\d{3})"/g)].map(([, code]) => code),
      ),
  );
  expect(reported.size).toBeGreaterThan(40);
  expect([...reported].filter((code) => !covered.has(code))).toEqual([]);
});
