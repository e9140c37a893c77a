import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { renderTable } from "../../ui/table.ts";
import { defineCommand } from "../command.ts";
import { labBackend } from "../lab.ts";
import type { LabHostRow } from "../lab-backend.ts";

const name = (path: string) => path.replace(/^\/nix\/store\/[^-]+-/, "");

export const command = defineCommand({
  options: [["--dir <dir>", "where it lives", "~/.local/state/macula-fleet/lab"]],
  examples: ["macula-fleet lab status", "macula-fleet lab status -o json"],
  schema: z.object({ dir: z.string().optional() }),
  async run(app, { options }) {
    const lab = await labBackend(app, options.dir);
    const status = await lab.status();
    if (app.format === "json") {
      app.json({ lab: true, ...status });
      return EXIT.ok;
    }
    app.note(`LAB (${status.running ? "running" : "stopped"}), flake at ${status.head}`);
    app.print(
      renderTable<LabHostRow>(
        status.hosts,
        [
          { head: "host", cell: (h) => h.name },
          { head: "power", cell: (h) => h.power },
          { head: "runs", cell: (h) => name(h.current) },
          { head: "boots next", cell: (h) => name(h.profile) },
          { head: "faults", cell: (h) => h.faults.join(", ") },
        ],
        {},
      ),
    );
    return EXIT.ok;
  },
});
