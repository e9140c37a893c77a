import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { withHostField } from "../../discover/adopt.ts";
import { planRetire, type RetirePlan } from "../../discover/retire.ts";
import { EXIT, FleetError } from "../../errors.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [["<host>", "the host that is to go"]],
  options: [["--check", "only show what it means"]],
  examples: ["macula-fleet retire node-02 --check", "macula-fleet retire node-02"],
  schema: z.object({ check: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const name = args[0] ?? "";
    const host = inventory.hosts.find((h) => h.name === name);
    if (!host)
      throw new FleetError("limit-no-match", `the inventory has no host ${name}`, {
        hint: "macula-fleet inventory list",
      });
    const machine = app.format === "json" || app.format === "ndjson";
    if (host.state === "retired") {
      app.note(`${name} is retired already`);
      return EXIT.ok;
    }
    const plan = planRetire(host, inventory);
    if (machine) app.json(plan);
    else app.print(planText(plan));
    if (plan.refusals.length > 0) return EXIT.error;
    if (options.check) return EXIT.ok;
    if (!(await app.confirm(`Write state: retired for ${name}? Rollouts leave it alone from then on.`)))
      return EXIT.error;
    const file = host.source.file;
    await writeFile(file, withHostField(await readFile(file, "utf8"), name, ["state"], "retired"));
    app.note(`${name} is retired in ${file}; what is left to do is above`);
    return EXIT.ok;
  },
});

function planText(plan: RetirePlan): string {
  return [
    `retire ${plan.host}`,
    ...plan.refusals.flatMap((r) => [`  refused  ${r.message}`, `           fix: ${r.fix}`]),
    ...(plan.affected.length > 0 ? [`  changes  ${plan.affected.join(", ")}`] : []),
    ...(plan.refusals.length > 0 ? [] : plan.steps.map((s, i) => `  ${i + 1}. ${s}`)),
  ].join("\n");
}
