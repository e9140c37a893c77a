import { z } from "zod";
import { base } from "./common.ts";
import { defineKind } from "./kind.ts";

const status = z.number().int().min(100).max(599);

/** `url` answers with `expect` (200) and, if given, a body containing `body`. `insecure`: any certificate will do. */
export const http = defineKind({
  type: "http",
  config: z.strictObject({
    ...base,
    url: z.url({ protocol: /^https?$/ }),
    expect: z.union([status.transform((s) => [s]), z.array(status).min(1)]).default([200]),
    body: z.string().optional(),
    insecure: z.boolean().default(false),
  }),
  parameters: (c) => ({ URL: c.url, EXPECT: c.expect.join(" "), BODY: c.body ?? "", INSECURE: c.insecure }),
});
