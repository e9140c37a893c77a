import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { makePlan, showPlan } from "../planning.ts";
import { POLICY_OPTIONS, PolicyOptions } from "../policy-options.ts";

export const command = defineCommand({
  arguments: [["[inventory]", "inventory to plan for"]],
  options: [
    ...POLICY_OPTIONS,
    ["--all", "every host of every wave with its reason"],
    ["--detailed-exitcode", "exit 2 when there is something to change"],
  ],
  examples: [
    "macula-fleet plan",
    "macula-fleet plan -o json > p.json && macula-fleet rollout p.json",
    "macula-fleet plan --canary 5% --limit site=gent",
  ],
  schema: PolicyOptions.extend({
    all: z.boolean().default(false),
    detailedExitcode: z.boolean().default(false),
  }),
  async run(app, { args, options }) {
    const { plan, inventory } = await makePlan(app, args[0], options);
    if (app.format === "json" || app.format === "ndjson") app.json(plan);
    else await showPlan(app, inventory, plan, { all: options.all, to: "stdout" });
    return options.detailedExitcode && plan.hosts.length > 0 ? EXIT.changes : EXIT.ok;
  },
});
