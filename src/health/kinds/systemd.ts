import { z } from "zod";
import { base, unit } from "./common.ts";
import { defineKind } from "./kind.ts";

/** No newly failed units (`ignore` apart); `units` must be active. */
export const systemd = defineKind({
  type: "systemd",
  config: z.strictObject({
    ...base,
    ignore: z.array(unit).default([]),
    units: z.array(unit).default([]),
  }),
  parameters: (c) => ({ IGNORE: c.ignore.join("\n"), UNITS: c.units.join(" ") }),
});
