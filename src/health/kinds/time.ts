import { z } from "zod";
import { base } from "./common.ts";
import { defineKind } from "./kind.ts";

/** The clock is synchronized (timesyncd, chrony, or anything the kernel knows of). */
export const time = defineKind({
  type: "time",
  config: z.strictObject({ ...base }),
  parameters: () => ({}),
});
