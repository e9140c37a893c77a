import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { toResolvedJson } from "../../inventory/resolved-json.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  examples: ["macula-fleet inventory resolve > flake/inventory/fleet.json"],
  schema: z.object({}),
  async run(app) {
    app.print(toResolvedJson(await app.inventory()).trimEnd());
    return EXIT.ok;
  },
});
