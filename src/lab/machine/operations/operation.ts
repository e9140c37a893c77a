/** The shape of an operation: what one script does to a machine, and how scripts refuse. [pure] */
import type { Machine } from "../model.ts";

/** Parameters as the script sees them: shell variables. */
export type Parameters = Readonly<Record<string, string>>;

export interface Outcome {
  readonly machine: Machine;
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Operation = (m: Machine, p: Parameters, now: number) => Outcome;

/** Exit codes of refusals, as in prelude.sh. */
export const REFUSAL = {
  usage: 40,
  fenced: 41,
  busy: 42,
  held: 43,
  moved: 44,
  incomplete: 45,
  disk: 46,
  unsuitable: 47,
  unknown: 48,
  wentBack: 49,
  failed: 50,
  alien: 51,
  notNow: 52,
} as const;

export class Refused extends Error {
  readonly exit: number;
  readonly stdout: string;
  constructor(kind: keyof typeof REFUSAL, message: string, json?: unknown) {
    super(message);
    this.exit = REFUSAL[kind];
    this.stdout = json === undefined ? "" : `${JSON.stringify(json)}\n`;
  }
}

export const said = (machine: Machine, json: unknown): Outcome => ({
  machine,
  exit: 0,
  stdout: `${JSON.stringify(json)}\n`,
  stderr: "",
});

export const did = (machine: Machine, word: string): Outcome => said(machine, { schema: 1, did: word });

/** Runs `operation`; a refusal leaves the machine as it was. */
export function perform(operation: Operation, m: Machine, p: Parameters, now: number): Outcome {
  try {
    return operation(m, p, now);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { machine: m, exit: error.exit, stdout: error.stdout, stderr: `macula-fleet: ${error.message}\n` };
  }
}

export function needNumber(p: Parameters, name: string, fallback?: number): number {
  const text = p[name] ?? "";
  if (text === "" && fallback !== undefined) return fallback;
  if (!/^[0-9]+$/.test(text)) throw new Refused("usage", `not a number: ${text}`);
  return Number(text);
}

export function needRun(p: Parameters): string {
  const run = p.RUN ?? "";
  if (!/^[A-Za-z0-9_.-]+$/.test(run)) throw new Refused("usage", `not a run id: ${run}`);
  return run;
}

export function needSystem(p: Parameters, name: string): string {
  const path = p[name] ?? "";
  if (!/^\/nix\/store\/[A-Za-z0-9+._?=-]+$/.test(path))
    throw new Refused("usage", `not a store path: ${path}`);
  return path;
}

/** The host obeys nobody whose fence is lower than one it has seen. */
export function checkFence(m: Machine, p: Parameters): number {
  const fence = needNumber(p, "FENCE");
  const seen = m.disk.state?.fence ?? 0;
  if (fence < seen)
    throw new Refused("fenced", `a controller with fence ${seen} was here; yours is ${fence}`);
  return fence;
}
