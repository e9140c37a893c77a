import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { FAULT_HELP } from "../../lab/machine/fault.ts";
import { defineCommand } from "../command.ts";
import { labBackend } from "../lab.ts";

const KINDS = Object.entries(FAULT_HELP).map(([kind, help]) => `${kind}: ${help}`);

export const command = defineCommand({
  arguments: [
    ["<host>", "lab host"],
    ["<kind>", `${KINDS.join("; ")}; none: clears them all; power-cycle: pulls the plug once`],
  ],
  options: [
    ["--dir <dir>", "where it lives", "~/.local/state/macula-fleet/lab"],
    ["--clear", "take this fault away again"],
  ],
  examples: [
    "macula-fleet lab fault node-03 bad-health",
    "macula-fleet lab fault node-03 none",
    "macula-fleet lab fault node-03 power-cycle",
  ],
  schema: z.object({ dir: z.string().optional(), clear: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const [host = "", kind = ""] = args;
    const lab = await labBackend(app, options.dir);
    if (kind === "power-cycle") {
      await lab.powerCycle(host);
      app.note(`LAB: ${host} lost its power and got it back`);
      return EXIT.ok;
    }
    const faults = await lab.fault(host, kind, { clear: options.clear });
    app.note(`LAB: ${host} ${faults.length === 0 ? "has no fault" : `now has: ${faults.join(", ")}`}`);
    return EXIT.ok;
  },
});
