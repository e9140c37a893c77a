import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { renderTable } from "../../ui/table.ts";
import { bytes, plural, shortRevision } from "../../ui/view/format.ts";
import { buildSelected } from "../building.ts";
import { defineCommand } from "../command.ts";
import { isMachine, noteLab, printData } from "../hosts.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [["--to <rev>", "revision to build", "the flake as it is"]],
  examples: [
    "macula-fleet build",
    "macula-fleet build --limit role=gateway --to 4f1c2aa -v",
    "macula-fleet build -o json",
  ],
  schema: z.object({ to: z.string().optional() }),
  async run(app, { args, options }) {
    const { inventory, revision, hosts, systems } = await buildSelected(app, args, options.to);
    const rows = hosts.flatMap((host) => {
      const built = systems.get(host.name);
      if (!built) return [];
      const { toplevel, size, version } = built;
      return [{ host: host.name, revision, toplevel, sizeBytes: size, version }];
    });
    if (isMachine(app)) printData(app, rows);
    else {
      noteLab(app, inventory);
      app.print(
        renderTable(rows, [
          { head: "host", cell: (r) => r.host },
          { head: "version", cell: (r) => r.version },
          {
            head: "size",
            cell: (r) => (r.sizeBytes === 0 ? null : bytes(r.sizeBytes)),
            align: "right",
          },
          { head: "system", cell: (r) => r.toplevel },
        ]),
      );
      const distinct = new Set(rows.map((r) => r.toplevel)).size;
      app.note(
        `${shortRevision(revision)}: ${plural(distinct, "system")} built for ${plural(rows.length, "host")}`,
      );
    }
    return EXIT.ok;
  },
});
