/** The two labs behind one set of words, so that commands need not know which one they talk to. */
import { FleetError } from "../errors.ts";

export interface LabHostRow {
  readonly name: string;
  readonly power: string;
  readonly current: string;
  readonly profile: string;
  readonly faults: readonly string[];
}

export interface LabBackend {
  up(o: {
    readonly hosts: number;
    readonly sites?: number | undefined;
    readonly blank: boolean;
    readonly foreground: boolean;
    readonly signal: AbortSignal;
  }): Promise<void>;
  /** False: there was none. */
  down(o: { readonly keep: boolean }): Promise<boolean>;
  status(): Promise<{
    readonly running: boolean;
    readonly head: string;
    readonly hosts: readonly LabHostRow[];
  }>;
  /** The faults the host has now. */
  fault(host: string, kind: string, o: { readonly clear: boolean }): Promise<readonly string[]>;
  powerCycle(host: string): Promise<void>;
  release(
    name: string,
    o: { readonly behaviour?: string; readonly hosts?: readonly string[] },
  ): Promise<void>;
}

export function noLab(dir: string): FleetError {
  return new FleetError("lab-failed", `there is no lab in ${dir}`, {
    hint: "macula-fleet lab up --hosts 12",
  });
}

export function knownBehaviour<T extends string>(name: string | undefined, all: readonly T[]): T | undefined {
  if (name === undefined) return undefined;
  const found = all.find((b) => b === name);
  if (found) return found;
  throw new FleetError("usage", `--behaviour: "${name}" is none of ${all.join(", ")}`);
}
