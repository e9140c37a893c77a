/** How far a host's retirement is: a file of its own, written before the next step begins, so that it can be gone on with. */
import { readFile, rm } from "node:fs/promises";
import { z } from "zod";
import { FleetError } from "../errors.ts";
import { writeWhole } from "../kernel/write-whole.ts";
import { STEPS, type Step } from "./plan.ts";

const Record = z.object({
  schema: z.literal(1),
  host: z.string(),
  /** Step -> when it was done. */
  done: z.partialRecord(z.enum(STEPS), z.string()),
  archive: z.string().optional(),
  /** The run that erases its disk. */
  wipeRun: z.string().optional(),
});
type RetireRecord = z.infer<typeof Record>;

export interface Progress {
  readonly state: RetireRecord;
  has(step: Step): boolean;
  /** Begins again: the host was brought back. */
  forget(): Promise<void>;
  /** Durable when it returns. */
  note(change: { readonly done?: Step; readonly archive?: string; readonly wipeRun?: string }): Promise<void>;
}

/** `file`: `retire/HOST.json` beside the fleet's state. Throws `usage` when it is damaged. */
export async function openProgress(file: string, host: string, now: () => number): Promise<Progress> {
  let state = await read(file, host);
  return {
    get state() {
      return state;
    },
    has: (step) => state.done[step] !== undefined,
    async forget() {
      state = { schema: 1, host, done: {} };
      await rm(file, { force: true });
    },
    async note({ done, ...rest }) {
      const time = new Date(now()).toISOString();
      state = {
        ...state,
        ...rest,
        done: done === undefined ? state.done : { ...state.done, [done]: time },
      };
      await writeWhole(file, `${JSON.stringify(state, null, 2)}\n`, 0o600, 0o700);
    },
  };
}

async function read(file: string, host: string): Promise<RetireRecord> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return { schema: 1, host, done: {} };
  try {
    return Record.parse(JSON.parse(text));
  } catch (cause) {
    throw new FleetError("usage", `${file} does not say how far ${host} is: it is damaged`, {
      cause,
      hint: "remove it to begin again: what is done already is not harmed by being done twice",
    });
  }
}
