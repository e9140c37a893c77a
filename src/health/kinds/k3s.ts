import { z } from "zod";
import { base, word } from "./common.ts";
import { defineKind } from "./kind.ts";

/** The host's own node is Ready and under no pressure; `node` when it is not called like the host. */
export const k3s = defineKind({
  type: "k3s",
  config: z.strictObject({ ...base, node: word.optional() }),
  parameters: (c) => ({ NODE: c.node ?? "" }),
});
