import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { LIST_COLUMNS, listRows } from "../../inventory/views.ts";
import { renderTable } from "../../ui/table.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [["[inventory]", "inventory to read"]],
  examples: [
    "macula-fleet inventory list",
    "macula-fleet inventory list --limit 'role:gateway'",
    "macula-fleet inventory list -o json",
  ],
  schema: z.object({}),
  async run(app, { args }) {
    const inventory = await app.inventory(args[0]);
    // State selectors need the store; nothing else of this command does.
    const store = app.globals.limit?.includes("state") ? await app.store(inventory) : undefined;
    const hosts = await app.hosts(inventory, store);
    if (app.format === "json") app.json(hosts);
    else if (app.format === "ndjson") for (const host of hosts) app.print(JSON.stringify(host));
    else
      app.print(
        renderTable(
          listRows(hosts),
          LIST_COLUMNS.map((head) => ({ head, cell: (row) => row[head] })),
        ),
      );
    return EXIT.ok;
  },
});
