import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { drawTree, graph } from "../../inventory/views.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [["[inventory]", "inventory to read"]],
  examples: ["macula-fleet inventory graph"],
  schema: z.object({}),
  async run(app, { args }) {
    const tree = graph(await app.inventory(args[0]));
    if (app.format === "json" || app.format === "ndjson") app.json(tree);
    else app.print(drawTree(tree));
    return EXIT.ok;
  },
});
