import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { inventoryJsonSchema } from "../../inventory/schema.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  examples: ["macula-fleet inventory schema > inventory.schema.json"],
  schema: z.object({}),
  async run(app) {
    app.json(inventoryJsonSchema());
    return EXIT.ok;
  },
});
