import { z } from "zod";
import { base, port, word } from "./common.ts";
import { defineKind } from "./kind.ts";

/** Something accepts connections, as seen from the host itself. */
export const tcp = defineKind({
  type: "tcp",
  config: z.strictObject({ ...base, host: word.default("127.0.0.1"), port }),
  parameters: (c) => ({ HOST: c.host, PORT: c.port }),
});
