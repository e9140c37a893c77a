import { z } from "zod";
import type { Generation, Observation } from "../../host/protocol.ts";
import type { Host } from "../../inventory/model.ts";
import type { HostRecord } from "../../store/store.ts";
import { renderTable } from "../../ui/table.ts";
import { defineCommand } from "../command.ts";
import { exitOfHosts, isMachine, noteFailures, noteLab, onEach, pickHosts, printResults } from "../hosts.ts";

interface Row extends Omit<Generation, "current" | "date"> {
  /** ISO 8601. */
  readonly date: string;
  readonly running: boolean;
  readonly booted: boolean;
  readonly profile: boolean;
  readonly bootDefault: boolean;
  readonly lastHealthy: boolean;
}

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [["--paths", "the store path of each generation"]],
  examples: ["macula-fleet generations node-03", "macula-fleet generations --limit site=gent -o json"],
  schema: z.object({ paths: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = await pickHosts(app, inventory, store, args);
    const { driver } = await app.remote(inventory);
    const records = await store.hosts();
    const { signal } = app;
    const ask = async (host: Host) => {
      const observation = await driver.observe(host, { signal });
      const generations = await driver.generations(host, { signal });
      return { generations: generations.map((g) => rowOf(g, observation, records.get(host.name))) };
    };
    const results = await onEach(app, hosts, ask, { aloud: true });
    if (isMachine(app)) printResults(app, results);
    else {
      noteLab(app, inventory);
      const rows = results.flatMap((r) =>
        r.ok ? r.value.generations.map((row) => ({ host: r.host, ...row })) : [],
      );
      app.print(
        renderTable(
          rows,
          [
            { head: "host", cell: (r) => r.host },
            { head: "gen", cell: (r) => r.number, align: "right" },
            { head: "made", cell: (r) => r.date.slice(0, 16).replace("T", " ") },
            { head: "version", cell: (r) => r.version },
            { head: "kernel", cell: (r) => r.kernel },
            { head: "system", cell: (r) => r.path, wide: true },
            { head: "note", cell: (r) => marks(r).join(", ") },
          ],
          { wide: options.paths },
        ),
      );
    }
    noteFailures(app, results);
    return exitOfHosts(results);
  },
});

function rowOf(g: Generation, o: Observation, record: HostRecord | undefined): Row {
  return {
    number: g.number,
    path: g.path,
    version: g.version,
    kernel: g.kernel,
    date: new Date(g.date * 1000).toISOString(),
    running: g.path === o.current,
    booted: g.path === o.booted,
    profile: g.number === o.generation,
    bootDefault: g.path === o.bootDefault,
    lastHealthy: g.path === record?.lastHealthy,
  };
}

/** Running, booted and default are one word when they are one system, as they mostly are. */
function marks(r: Row): string[] {
  return [
    r.profile ? "current" : "",
    r.running && !r.profile ? "running" : "",
    r.booted && !r.running ? "booted" : "",
    r.bootDefault && !r.profile ? "boots next" : "",
    r.lastHealthy && !r.profile ? "last healthy" : "",
  ].filter((m) => m !== "");
}
