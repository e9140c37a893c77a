import { z } from "zod";
import { defineCommand } from "../command.ts";
import { person } from "../hosts.ts";
import { annotate } from "../notes.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns"]],
  options: [["--reason <text>", "why, for whoever meets it", "an operator is at work"]],
  examples: [
    "macula-fleet lock node-03 --reason 'debugging the uplink'",
    "macula-fleet lock --limit site=gent",
  ],
  schema: z.object({ reason: z.string().min(1).default("an operator is at work") }),
  run: (app, { args, options }) =>
    annotate(
      app,
      args,
      async (host, { driver, signal }) => {
        const note = { by: person(app), reason: options.reason };
        await driver.lock(host, note, { signal });
        return { lock: note };
      },
      { done: ({ host }) => `${host}: locked, until: macula-fleet unlock ${host}` },
    ),
});
