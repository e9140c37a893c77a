import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { historyTable } from "../../ui/listings.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  options: [
    ["--rows <n>", "at most this many", "20"],
    ["--wide", "more columns"],
  ],
  examples: ["macula-fleet rollout history", "macula-fleet rollout history -o json --rows 100"],
  schema: z.object({ rows: z.coerce.number().int().min(1).default(20), wide: z.boolean().default(false) }),
  async run(app, { options }) {
    const store = await app.store(await app.inventory());
    const runs = await store.runs({ limit: options.rows });
    if (app.format === "json") app.json(runs);
    else if (app.format === "ndjson") for (const run of runs) app.print(JSON.stringify(run));
    else if (runs.length === 0) app.note("nothing was rolled out yet; start with: macula-fleet plan");
    else app.print(historyTable(runs, { now: app.clock.now(), wide: options.wide }));
    return EXIT.ok;
  },
});
