import parseDuration from "parse-duration";
import { z } from "zod";

/** What every check has: its name, its kind, and how long it may take (`10s`, or seconds). */
export const timeout = z
  .union([z.number().positive(), z.string()])
  .default(10)
  .transform((value, context) => {
    const seconds = typeof value === "number" ? value : (parseDuration(value, "s") ?? Number.NaN);
    if (Number.isFinite(seconds) && seconds > 0 && seconds <= 600) return Math.ceil(seconds);
    context.addIssue({ code: "custom", message: "a time between 1s and 10m, such as 10s" });
    return z.NEVER;
  });

export const base = { name: z.string().min(1), type: z.string(), timeout };

/** Words that end up in a blank-separated list on the host. */
export const word = z.string().regex(/^[A-Za-z0-9_@:.\\[\]-]+$/, "letters, digits and _ @ : . - only");
export const unit = z.string().regex(/^[A-Za-z0-9_@:.\\-]+\.[a-z]+$/, "a unit name such as k3s.service");
export const port = z.number().int().min(1).max(65535);
