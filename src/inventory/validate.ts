/** Texts in, inventory and every problem out. Pure; `load.ts` reads the files. */
import { combine } from "./combine.ts";
import { diagnose } from "./diagnose.ts";
import { type ParsedFile, parseFile, type SourceFile } from "./documents.ts";
import { type Finding, toProblem } from "./findings.ts";
import type { CheckConfig, Inventory, Problem } from "./model.ts";
import { redact } from "./redact.ts";
import { resolve } from "./resolve.ts";
import { plainSecrets } from "./rules/e5-secrets.ts";
import { RULES } from "./rules/index.ts";
import type { HostFacts, RuleInput } from "./rules/rule.ts";

export interface ValidateOptions {
  /** Directory relative paths refer to. */
  readonly baseDir: string;
  readonly resolvePath: (path: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly purpose?: "install" | "other";
  readonly facts?: (host: string) => HostFacts | undefined;
  readonly secretFile?: (path: string) => string | undefined;
  readonly validateCheck?: (check: CheckConfig) => readonly string[];
}

interface Validated {
  /** Best effort when there are errors; undefined when nothing could be read at all. */
  readonly inventory: Inventory | undefined;
  /** By place: file, line, column. */
  readonly problems: readonly Problem[];
}

export function validateSources(sources: readonly SourceFile[], options: ValidateOptions): Validated {
  const results = sources.map(parseFile);
  const problems = results.flatMap((result) => [...result.problems]);
  const files = results.flatMap((result): ParsedFile[] => (result.ok ? [result.file] : []));
  if (files.length < sources.length) return { inventory: undefined, problems: finish(problems, sources) };

  const combined = combine(files);
  problems.push(...combined.problems);
  const add = (findings: Iterable<Finding>) => {
    for (const finding of findings) problems.push(toProblem(finding, combined.locate));
  };
  add(plainSecrets(combined.value));
  const { document, findings } = diagnose(combined.value);
  add(findings);
  if (document === undefined) return { inventory: undefined, problems: finish(problems, sources) };

  const resolved = resolve(document, {
    baseDir: options.baseDir,
    resolvePath: options.resolvePath,
    files: sources.map(({ path }) => path),
    locate: combined.locate,
  });
  // A misspelt or misshapen address has been reported as that; that it is missing now is no news.
  const spoiled = new Set(
    findings
      .filter(({ path, fix }) => path[0] === "hosts" && (path[2] === "address" || fix?.includes('"address"')))
      .map(({ path }) => path[1]),
  );
  add(resolved.findings.filter(({ code, from }) => code !== "E111" || !spoiled.has(from?.[1])));
  const input: RuleInput = {
    document,
    inventory: resolved.inventory,
    layers: resolved.layers,
    now: options.now,
    purpose: options.purpose ?? "other",
    facts: options.facts ?? (() => undefined),
    secretFile: options.secretFile ?? (() => undefined),
    validateCheck: options.validateCheck ?? (() => []),
  };
  for (const rule of RULES) add(rule(input));
  return { inventory: resolved.inventory, problems: finish(problems, sources) };
}

/** One problem once, in reading order, without secrets. */
function finish(problems: readonly Problem[], sources: readonly SourceFile[]): readonly Problem[] {
  const order = new Map(sources.map(({ path }, i) => [path, i]));
  const rank = ({ at }: Problem) => (at === undefined ? -1 : (order.get(at.file) ?? -1));
  const unique = new Map<string, Problem>();
  for (const problem of problems) {
    const safe: Problem = {
      ...problem,
      path: redact(problem.path),
      message: redact(problem.message),
      ...(problem.fix === undefined ? {} : { fix: redact(problem.fix) }),
    };
    const id = JSON.stringify([safe.code, safe.path, safe.message, safe.at]);
    if (!unique.has(id)) unique.set(id, safe);
  }
  return [...unique.values()].sort(
    (a, b) =>
      rank(a) - rank(b) || (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.col ?? 0) - (b.at?.col ?? 0),
  );
}
