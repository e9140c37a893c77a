import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { bytes, plural } from "../../ui/view/format.ts";
import { defineCommand } from "../command.ts";
import { exitOfHosts, isMachine, noteFailures, noteLab, onEach, pickHosts, printResults } from "../hosts.ts";

/** Disks of small machines are slow, and their users wait. */
const AT_ONCE = 8;

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [["--keep <n>", "generations to keep at least; what a rollback goes to is always kept", "5"]],
  examples: ["macula-fleet gc node-03 --keep 3", "macula-fleet gc --limit site=gent --yes"],
  schema: z.object({
    keep: z.coerce.number("must be a whole number").int().min(1, "must be at least 1").default(5),
  }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = await pickHosts(app, inventory, store, args);
    const question = `Delete all but the ${options.keep} newest generations of ${plural(hosts.length, "host")}?`;
    if (!(await app.confirm(question))) return EXIT.error;
    const { driver } = await app.remote(inventory);
    const results = await onEach(
      app,
      hosts,
      async (host) => {
        const { generations, freed } = await driver.gc(host, { keep: options.keep, signal: app.signal });
        return { generations, freedBytes: freed * 1024 };
      },
      { forks: Math.min(AT_ONCE, app.globals.forks) },
    );
    if (isMachine(app)) printResults(app, results);
    else {
      noteLab(app, inventory);
      for (const result of results) {
        if (!result.ok) continue;
        const { generations, freedBytes } = result.value;
        const what = generations.length === 0 ? "no generation" : plural(generations.length, "generation");
        app.print(`${result.host}: ${what} deleted, ${bytes(freedBytes)} freed`);
      }
    }
    noteFailures(app, results);
    return exitOfHosts(results);
  },
});
