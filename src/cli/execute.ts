/** Runs one loaded command: options checked, an `App` made for it and taken down after it. */
import type { z } from "zod";
import { App, type Process } from "../app.ts";
import { type ExitCode, FleetError } from "../errors.ts";
import { Globals } from "../globals.ts";
import type { CommandSpec } from "./command.ts";

export interface Invocation {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

export async function execute(process: Process, command: CommandSpec, call: Invocation): Promise<ExitCode> {
  const globals = check(Globals, call.options);
  const options = check(command.schema, call.options);
  await using app = new App(process, globals);
  return await command.run(app, { args: call.args, options });
}

function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const text = result.error.issues.map((i) => `--${kebab(String(i.path[0] ?? ""))}: ${i.message}`).join("; ");
  throw new FleetError("usage", text, { hint: "add --help to see what it takes" });
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
