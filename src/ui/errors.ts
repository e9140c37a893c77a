import { EXIT, type ExitCode, FleetError } from "../errors.ts";
import { createPaint } from "./paint.ts";
import { bad, dim, type Line, line, span, strong } from "./view/line.ts";

export interface ErrorContext {
  readonly color: boolean;
  /** Of the tool. */
  readonly version: string;
  /** `v24.1.0 linux x64` */
  readonly platform: string;
  /** Stacks of expected errors too. */
  readonly verbose?: boolean;
}

export interface ErrorReport {
  /** Ends without a newline. */
  readonly text: string;
  readonly exit: ExitCode;
}

/** Anything thrown, as text for a person: what happened, where, why, what to do; and the exit status (contract §2). */
export function describeError(error: unknown, context: ErrorContext): ErrorReport {
  const paint = createPaint(context.color);
  const lines = error instanceof FleetError ? expected(error, context) : bug(error, context);
  return { text: lines.map(paint).join("\n"), exit: exitOf(error) };
}

export function exitOf(error: unknown): ExitCode {
  if (error instanceof FleetError) return error.exit;
  return isAbort(error) ? EXIT.interrupted : EXIT.bug;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

function expected(error: FleetError, context: ErrorContext): Line[] {
  // What a program said below the first line, such as an evaluation's trace, keeps its lines.
  const [first = "", ...said] = error.message.trimEnd().split("\n");
  return [
    line(bad("error: "), strong(first), dim(`  [${error.code}]`)),
    ...said.map((text) => line("  ", text)),
    ...facts(error.data),
    ...causes(error.cause),
    ...(error.hint === undefined ? [] : [line("  fix: ", error.hint)]),
    ...(context.verbose ? stack(error) : []),
  ];
}

/** Where: the machine-readable facts, as far as they are short. */
function facts(data: FleetError["data"]): Line[] {
  return Object.entries(data ?? {}).flatMap(([key, value]) =>
    typeof value === "string" || typeof value === "number" ? [line(dim(`  ${key}: `), String(value))] : [],
  );
}

/** Why: every cause below, outermost first. */
function causes(cause: unknown): Line[] {
  const lines: Line[] = [];
  for (let at = cause; at !== undefined && at !== null && lines.length < 5; at = causeOf(at)) {
    lines.push(line(dim("  why: "), at instanceof Error ? at.message : String(at)));
  }
  return lines;
}

const causeOf = (error: unknown): unknown => (error instanceof Error ? error.cause : undefined);

function bug(error: unknown, context: ErrorContext): Line[] {
  if (isAbort(error)) return [line("interrupted; hosts in hand confirm or revert by themselves")];
  const name = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [
    line(bad("bug: "), strong(name)),
    ...stack(error),
    ...causes(causeOf(error)),
    line(dim(`  macula-fleet ${context.version}, node ${context.platform}`)),
    line(
      "  This is a mistake in macula-fleet, not in your fleet. Hosts in hand confirm or revert by themselves;",
    ),
    line("  `macula-fleet rollout status` shows where the run stands and `rollout resume` continues it."),
    line(
      "  Please report it with the lines above and the command you typed: they contain no secrets of yours",
    ),
    line("  unless a host name or path does."),
  ];
}

function stack(error: unknown): Line[] {
  if (!(error instanceof Error) || error.stack === undefined) return [];
  return error.stack
    .split("\n")
    .filter((text) => text.trimStart().startsWith("at "))
    .map((text) => line(span(text, "dim")));
}
