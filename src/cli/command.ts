import type { z } from "zod";
import type { App } from "../app.ts";
import type { ExitCode } from "../errors.ts";

/** `["--canary <n>", "hosts that go first"]`; a third element is commander's default, shown in help. */
export type OptionSpec = readonly [flags: string, help: string, fallback?: string];

/**
 * A command as a value: help, completion, parsing and execution come from one place. Modules are loaded only when
 * their command is named, so `--help` stays quick.
 */
export interface CommandSpec<S extends z.ZodType = z.ZodType> {
  readonly arguments?: readonly (readonly [name: string, help: string])[];
  readonly options?: readonly OptionSpec[];
  readonly examples?: readonly string[];
  /** Checks and converts commander's options; its messages become usage errors. */
  readonly schema: S;
  readonly run: (
    app: App,
    call: { readonly args: readonly string[]; readonly options: z.output<S> },
  ) => Promise<ExitCode>;
}

/** Types `options` of `run` from `schema`. */
export function defineCommand<S extends z.ZodType>(spec: CommandSpec<S>): CommandSpec<S> {
  return spec;
}

/** A line of the catalog: what is known of a command without loading it. */
export interface CatalogEntry {
  /** `rollout status` */
  readonly path: string;
  readonly group: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CommandSpec }>;
}
