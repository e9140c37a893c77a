import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { forecast } from "../../simulation/forecast.ts";
import { forecastText } from "../../simulation/forecast-text.ts";
import { defineCommand } from "../command.ts";
import { overridePolicy, POLICY_OPTIONS, PolicyOptions } from "../policy-options.ts";

const positive = z.coerce.number("must be a number").positive("must be more than 0");

export const command = defineCommand({
  arguments: [["[inventory]", "inventory to play a rollout through on"]],
  options: [
    ...POLICY_OPTIONS,
    ["--mbps <n>", "uplink of sites that state none, Mbit/s", "50"],
    ["--megabytes <n>", "copied to each host", "400"],
  ],
  examples: [
    "macula-fleet simulate inventory.yaml",
    "macula-fleet simulate --canary 3 --waves 10%,100% --max-parallel 25",
  ],
  schema: PolicyOptions.extend({ mbps: positive.optional(), megabytes: positive.optional() }),
  async run(app, { args, options }) {
    const { inventory } = overridePolicy(await app.inventory(args[0]), options);
    const hosts = await app.hosts(inventory);
    const result = await forecast(inventory, {
      now: app.clock.now(),
      hosts,
      model: {
        ...(options.mbps === undefined ? {} : { mbps: options.mbps }),
        ...(options.megabytes === undefined ? {} : { bytesPerHost: options.megabytes * 1_000_000 }),
      },
    });
    if (app.format === "json" || app.format === "ndjson") app.json(result);
    else app.print(forecastText(result));
    return EXIT.ok;
  },
});
