import { stringify } from "yaml";
import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { selectHosts } from "../../inventory/select.ts";
import { showHost } from "../../inventory/views.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [["<host>", "host name"]],
  options: [["--yaml", "everything, defaults included, as YAML"]],
  examples: ["macula-fleet inventory show node-03", "macula-fleet inventory show node-03 -o json"],
  schema: z.object({ yaml: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    for (const host of selectHosts(inventory, args[0] ?? "")) {
      if (app.format === "json" || app.format === "ndjson") app.json(host);
      else if (options.yaml) app.print(stringify(host));
      else {
        const rows = showHost(host, inventory);
        const width = Math.max(...rows.map(([label]) => label.length));
        app.print(rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join("\n"));
      }
    }
    return EXIT.ok;
  },
});
