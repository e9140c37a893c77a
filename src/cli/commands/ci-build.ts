import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { buildChanged, CI_OPTIONS, CiOptions, ciSentence, ciSummary } from "../ci.ts";
import { defineCommand } from "../command.ts";
import { isMachine, noteLab } from "../hosts.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [...CI_OPTIONS, ["--detailed-exitcode", "exit 2 when some host changed"]],
  examples: [
    "macula-fleet ci build --since origin/main -o json",
    "macula-fleet ci build --known systems.json --detailed-exitcode",
  ],
  schema: CiOptions.extend({ detailedExitcode: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const built = await buildChanged(app, args, options);
    if (isMachine(app)) app.print(JSON.stringify(ciSummary(built)));
    else {
      noteLab(app, built.inventory);
      for (const { toplevel, hosts } of built.systems) app.print(`${toplevel}  ${hosts.join(" ")}`);
      app.note(ciSentence(built));
    }
    return options.detailedExitcode && built.changed.length > 0 ? EXIT.changes : EXIT.ok;
  },
});
