import { z } from "zod";
import { FleetError } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { person } from "../hosts.ts";
import { annotate } from "../notes.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns"]],
  options: [["--force", "also somebody else's lock"]],
  examples: ["macula-fleet unlock node-03", "macula-fleet unlock --limit site=gent --force"],
  schema: z.object({ force: z.boolean().default(false) }),
  run: (app, { args, options }) =>
    annotate(
      app,
      args,
      async (host, { driver, signal }) => {
        const { lock } = await driver.observe(host, { signal });
        if (lock && lock.by !== person(app) && !options.force) {
          throw new FleetError("host-held", `${host.name} is locked by ${lock.by}: ${lock.reason}`, {
            hint: `ask them, or: macula-fleet unlock ${host.name} --force`,
          });
        }
        await driver.unlock(host, { signal });
        return { lock: null, was: lock };
      },
      { done: ({ host, value }) => `${host}: ${value.was ? "unlocked" : "was not locked"}` },
    ),
});
