import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { plural } from "../../ui/view/format.ts";
import { defineCommand } from "../command.ts";
import { exitOfHosts, isMachine, noteFailures, noteLab, onEach, pickHosts, printResults } from "../hosts.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [["--no-restart", "leave restarting to each host's next activation"]],
  examples: ["macula-fleet secrets push node-03", "macula-fleet secrets push --limit site=gent --yes"],
  schema: z.object({ restart: z.boolean().default(true) }),
  async run(app, { args, options: { restart } }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = await pickHosts(app, inventory, store, args);
    const units = restart ? ", and restart what uses a changed one" : "";
    if (!(await app.confirm(`Bring secrets to ${plural(hosts.length, "host")}${units}?`))) return EXIT.error;
    const { driver } = await app.remote(inventory);
    const secretsOf = await app.secrets(inventory);
    let stopped: string | undefined;
    const results = await onEach(
      app,
      hosts,
      async (host) => {
        const secrets = await secretsOf(host);
        if (secrets.length === 0) return { secrets: 0, changed: [] };
        if (stopped !== undefined)
          throw new FleetError("command-refused", `${host.name} was left alone, because ${stopped} failed`);
        try {
          const changed = await driver.deliver(host, secrets, { signal: app.signal, restart });
          return { secrets: secrets.length, changed };
        } catch (error) {
          // What its units do not run with must not reach the next host; one that is merely away stops nobody.
          if (restart && !(error instanceof FleetError && error.transient)) stopped = host.name;
          throw error;
        }
      },
      // No health gate watches over this: one host at a time, until one fails.
      { forks: restart ? 1 : app.globals.forks },
    );
    if (isMachine(app)) printResults(app, results);
    else {
      noteLab(app, inventory);
      for (const result of results) {
        if (!result.ok) continue;
        const { secrets, changed } = result.value;
        const what =
          secrets === 0
            ? "wants no secrets"
            : changed.length === 0
              ? `${plural(secrets, "secret")}, all as they were`
              : `changed: ${changed.join(", ")}`;
        app.print(`${result.host}: ${what}`);
      }
    }
    noteFailures(app, results);
    return exitOfHosts(results);
  },
});
