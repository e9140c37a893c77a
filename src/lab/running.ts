/** `DIR/lab.json`: the lab that runs, or ran, in a directory. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { FleetError } from "../errors.ts";
import { labLayout } from "./layout.ts";

export const RunningLab = z.strictObject({
  schema: z.literal(1),
  note: z.string(),
  backend: z.literal("sim"),
  pid: z.number().int(),
  /** Loopback port and bearer token of the control channel. */
  controlPort: z.number().int(),
  token: z.string(),
  /** Seconds since the epoch. */
  started: z.number(),
  hosts: z.array(
    z.strictObject({ name: z.string(), port: z.number().int(), role: z.string(), site: z.string() }),
  ),
});
export type RunningLab = z.infer<typeof RunningLab>;

/** Null when there is no lab in `dir`. Throws `lab-failed` | `state-newer` when its record cannot be used. */
export function readRunningLab(dir: string): RunningLab | null {
  const file = labLayout(dir).lab;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return null;
  }
  try {
    const data: unknown = JSON.parse(text);
    const schema = z.object({ schema: z.number() }).safeParse(data);
    if (schema.success && schema.data.schema > 1) {
      throw new FleetError("state-newer", `${file} was written by a newer macula-fleet`, {
        hint: "use that version to put the lab down",
      });
    }
    return RunningLab.parse(data);
  } catch (cause) {
    if (cause instanceof FleetError) throw cause;
    throw new FleetError("lab-failed", `${file} cannot be read as the record of a lab`, {
      hint: `if no lab runs there, remove ${file}`,
      cause,
    });
  }
}

/** Does a process with this id exist? */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
