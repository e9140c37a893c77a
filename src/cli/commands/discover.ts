import { z } from "zod";
import { browse } from "../../discover/browse.ts";
import { type Machine, machinesOf } from "../../discover/machines.ts";
import { EXIT, FleetError } from "../../errors.ts";
import { Duration } from "../../globals.ts";
import type { Host } from "../../inventory/model.ts";
import { type Column, renderTable } from "../../ui/table.ts";
import { defineCommand } from "../command.ts";

const COLUMNS: readonly Column<Machine>[] = [
  { head: "name", cell: (m) => m.name },
  { head: "address", cell: (m) => m.addresses.join(", ") },
  { head: "state", cell: (m) => m.state },
  { head: "role", cell: (m) => m.role },
  { head: "inventory", cell: (m) => (m.conflicts.length > 0 ? "CONFLICT" : (m.inventory ?? "no")) },
  { head: "via", cell: (m) => m.via.join(", ") },
  { head: "note", cell: (m) => m.conflicts.join("; ") },
];

export const command = defineCommand({
  options: [["--timeout-listen <duration>", "how long to listen", "5s"]],
  examples: ["macula-fleet discover", "macula-fleet discover --timeout-listen 15s -o json"],
  schema: z.object({ timeoutListen: Duration.default(5000) }),
  async run(app, { options }) {
    const hosts = await knownHosts(app);
    const announced = await browse({
      types: ["macula", "ssh"],
      timeoutMs: options.timeoutListen,
      signal: app.signal,
      onProblem: (via, message) => app.note(`${via}: cannot listen: ${message}`),
    });
    const machines = machinesOf(announced, hosts);
    if (app.format === "json" || app.format === "ndjson") app.json(machines);
    else if (machines.length === 0) {
      app.note(
        "nobody announces itself here; mDNS does not cross routers and bastions: listen on the machine's own network",
      );
    } else {
      app.print(renderTable(machines, COLUMNS));
      app.note(
        "Anybody can announce anything: compare host keys before you trust one. Next: macula-fleet adopt ADDRESS --as NAME",
      );
    }
    return EXIT.ok;
  },
});

/** Without an inventory there is nothing to compare with, which is fine: that is how a fleet begins. */
async function knownHosts(app: Parameters<typeof command.run>[0]): Promise<readonly Host[]> {
  try {
    return (await app.inventory()).hosts;
  } catch (error) {
    if (
      error instanceof FleetError &&
      error.code === "inventory-not-found" &&
      app.globals.inventory === undefined
    )
      return [];
    throw error;
  }
}
