/** Options every command takes, and what several of them read alike. */
import { z } from "zod";
import { parseDuration } from "./inventory/duration.ts";

const Count = z.coerce
  .number("must be a whole number")
  .int("must be a whole number")
  .min(1, "must be at least 1");
export const Duration = z.string().transform((text, context) => {
  const ms = parseDuration(text);
  if (ms === undefined) {
    context.addIssue({ code: "custom", message: `"${text}" is not a duration such as 90s, 10m or 2h` });
    return z.NEVER;
  }
  return ms;
});

export const Globals = z.object({
  inventory: z.string().optional(),
  limit: z.string().optional(),
  output: z.enum(["human", "plain", "json", "ndjson"]).optional(),
  state: z.string().optional(),
  forks: Count.default(32),
  timeout: Duration.optional(),
  acceptNew: z.boolean().default(false),
  yes: z.boolean().default(false),
  color: z.boolean().default(true),
  verbose: z.boolean().default(false),
});
export type Globals = z.output<typeof Globals>;
