/** Problems as text for people. Colours are given, so that plain terminals and tests need nothing special. Pure. */
import { codeFrameColumns } from "@babel/code-frame";
import type { SourceFile } from "./documents.ts";
import type { Problem } from "./model.ts";
import { redactSource } from "./redact.ts";

type Paint = (text: string) => string;

interface ReportColors {
  readonly error: Paint;
  readonly warning: Paint;
  readonly info: Paint;
  readonly strong: Paint;
  readonly dim: Paint;
}

const plain: Paint = (text) => text;
const NO_COLORS: ReportColors = {
  error: plain,
  warning: plain,
  info: plain,
  strong: plain,
  dim: plain,
};

interface ReportOptions {
  readonly sources: readonly SourceFile[];
  readonly colors?: ReportColors;
  /** Show the lines around each place; default true. */
  readonly frames?: boolean;
  /** How a file is named, `(path) => relative(cwd, path)`; default: as it is. */
  readonly nameFile?: (path: string) => string;
}

/** All problems and a closing line; no trailing newline. */
export function formatProblems(problems: readonly Problem[], options: ReportOptions): string {
  const texts = new Map<string, readonly string[]>();
  const source = (file: string): readonly string[] | undefined => {
    const known = texts.get(file);
    if (known !== undefined) return known;
    const text = options.sources.find(({ path }) => path === file)?.text;
    if (text === undefined) return undefined;
    const safe = redactSource(text).split(/\r?\n/);
    texts.set(file, safe);
    return safe;
  };
  const blocks = problems.map((problem) => formatProblem(problem, options, source));
  return [...blocks, summary(problems)].join(options.frames === false ? "\n" : "\n\n");
}

function formatProblem(
  problem: Problem,
  { colors = NO_COLORS, frames = true, nameFile = (path) => path }: ReportOptions,
  source: (file: string) => readonly string[] | undefined,
): string {
  const { at, code, severity, path, message, fix } = problem;
  const place = at === undefined ? "" : `${colors.strong(`${nameFile(at.file)}:${at.line}:${at.col}`)} `;
  const subject = path === "" || namesSubject(message, path) ? "" : `${path}: `;
  const advice = fix === undefined ? "" : ` ${fix}`;
  const end = /[.!?]$/.test(message) ? "" : ".";
  const line = `${place}${colors[severity](`${severity} ${code}`)} ${subject}${message}${end}${advice}`;
  const lines = at === undefined || !frames ? undefined : source(at.file);
  if (at === undefined || lines === undefined) return line;
  return `${line}\n${colors.dim(frame(lines, at.line, at.col))}`;
}

/** `clusters.ams: cluster ams …` says it twice. */
function namesSubject(message: string, path: string): boolean {
  const name = /^\w+\."?([^".]+)"?$/.exec(path)?.[1];
  return message.startsWith(path) || (name !== undefined && message.includes(name));
}

/** The line and its neighbours, none too long. */
function frame(lines: readonly string[], line: number, col: number): string {
  const width = 160;
  const cut = col > width - 20 ? col - 60 : 0;
  const first = Math.max(1, line - 1);
  const near = lines.slice(first - 1, line + 1).map((text) => {
    const head = cut > 0 && text.length > cut ? `…${text.slice(cut + 1)}` : text.slice(cut);
    return head.length > width ? `${head.slice(0, width - 1)}…` : head;
  });
  // Its columns count from 0, ours from 1.
  return codeFrameColumns(
    near.join("\n"),
    { start: { line, column: Math.max(0, col - 1 - cut) } },
    { startLine: first, linesAbove: 1, linesBelow: 1, highlightCode: false },
  );
}

/** `7 errors, 2 warnings` */
export function summary(problems: readonly Problem[]): string {
  const count = (severity: Problem["severity"]) =>
    problems.filter((each) => each.severity === severity).length;
  const parts = [
    [count("error"), "error"],
    [count("warning"), "warning"],
    [count("info"), "note"],
  ] as const;
  const text = parts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}${n === 1 ? "" : "s"}`);
  return text.length === 0 ? "no problems" : text.join(", ");
}
