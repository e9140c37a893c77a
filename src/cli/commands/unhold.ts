import { z } from "zod";
import { defineCommand } from "../command.ts";
import { annotate } from "../notes.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns"]],
  examples: ["macula-fleet unhold node-03", "macula-fleet unhold --limit site=gent"],
  schema: z.object({}),
  run: (app, { args }) =>
    annotate(
      app,
      args,
      async (host, { driver, store, signal }) => {
        // Both notes: the controller's own and the one on the host. An explicit undefined removes the field.
        await store.putHost({ host: host.name, held: undefined });
        await driver.unhold(host, { signal });
        return { held: null };
      },
      {
        done: ({ host }) => `${host}: no longer held`,
        left: "hosts that could not be told may still have a note of their own: run it again when they answer",
      },
    ),
});
