import { z } from "zod";
import { base } from "./common.ts";
import { defineKind } from "./kind.ts";

/** Room at `path` for `closures` (2) more systems as large as the running one, and at least `minMiB`. */
export const disk = defineKind({
  type: "disk",
  config: z.strictObject({
    ...base,
    path: z.string().startsWith("/").default("/nix/store"),
    closures: z.number().int().min(0).default(2),
    minMiB: z.number().int().min(0).default(0),
  }),
  parameters: (c) => ({ PATHNAME: c.path, CLOSURES: c.closures, MINKIB: c.minMiB * 1024 }),
});
