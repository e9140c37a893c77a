import { relative } from "node:path";
import pc from "picocolors";
import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { formatProblems } from "../../inventory/report.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [["[inventory]", "inventory to check"]],
  examples: ["macula-fleet inventory validate", "macula-fleet inventory validate inventory/ -o json"],
  schema: z.object({}),
  async run(app, { args }) {
    const { problems, sources, inventory } = await app.loadInventory(args[0]);
    const errors = problems.filter((p) => p.severity === "error").length;
    if (app.format === "json" || app.format === "ndjson") {
      app.json({ valid: errors === 0, hosts: inventory?.hosts.length ?? 0, problems });
      return errors === 0 ? EXIT.ok : EXIT.usage;
    }
    if (problems.length > 0) {
      const c = pc.createColors(app.color);
      app.note(
        formatProblems(problems, {
          sources,
          nameFile: (path) => relative(app.process.cwd, path),
          colors: { error: c.red, warning: c.yellow, info: c.cyan, strong: c.bold, dim: c.dim },
        }),
      );
    }
    if (errors === 0 && inventory) {
      app.print(`${inventory.fleet.name}: ${inventory.hosts.length} hosts, valid`);
    }
    return errors === 0 ? EXIT.ok : EXIT.usage;
  },
});
