import { z } from "zod";
import { base } from "./common.ts";
import { defineKind } from "./kind.ts";

const share = z.string().regex(/^(100|[1-9]?[0-9])% of baseline$/, 'a number, or "80% of baseline"');

/**
 * At least `minPeers` peers, counted by `command` or at `url` (a number, or JSON with `field`), and one of
 * `bootstrap` (`host:port`) reachable. The baseline is what the host counted before the activation.
 */
export const mesh = defineKind({
  type: "mesh",
  config: z
    .strictObject({
      ...base,
      minPeers: z.union([z.number().int().min(0), share]).default(1),
      command: z.string().min(1).optional(),
      url: z.url({ protocol: /^https?$/ }).default("http://127.0.0.1:8080/health"),
      field: z
        .string()
        .regex(/^[A-Za-z0-9_-]+$/)
        .default("peers"),
      bootstrap: z.array(z.string().regex(/^[A-Za-z0-9.:[\]-]+:[0-9]+$/, "host:port")).default([]),
      // Only `bootstrap` matters when there is nothing that counts peers.
      count: z.boolean().default(true),
    })
    .refine((c) => c.count || c.bootstrap.length > 0, "count: false needs `bootstrap`"),
  parameters: (c) => {
    const percent = typeof c.minPeers === "string" ? Number.parseInt(c.minPeers, 10) : undefined;
    return {
      COMMAND: c.count ? (c.command ?? "") : "",
      URL: c.count && c.command === undefined ? c.url : "",
      FIELD: c.field,
      MINPEERS: typeof c.minPeers === "number" ? c.minPeers : 1,
      PERCENT: percent ?? "",
      BOOTSTRAP: c.bootstrap.join(" "),
    };
  },
});
