import { z } from "zod";
import { base } from "./common.ts";
import { defineKind } from "./kind.ts";

/** A shell command as root on the host: exit 0 is healthy, 21 is "not now", anything else is not. */
export const command = defineKind({
  type: "command",
  config: z.strictObject({ ...base, command: z.string().min(1) }),
  parameters: (c) => ({ COMMAND: c.command }),
});
