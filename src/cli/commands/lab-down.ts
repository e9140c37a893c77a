import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { labBackend, labDir } from "../lab.ts";

export const command = defineCommand({
  options: [
    ["--dir <dir>", "where it lives", "~/.local/state/macula-fleet/lab"],
    ["--keep", "keep the hosts' disks, so that lab up goes on with them (sim)"],
  ],
  examples: ["macula-fleet lab down"],
  schema: z.object({ dir: z.string().optional(), keep: z.boolean().default(false) }),
  async run(app, { options }) {
    const lab = await labBackend(app, options.dir);
    const dir = labDir(app, options.dir);
    app.note(
      (await lab.down({ keep: options.keep })) ? `the lab in ${dir} is down` : `no lab runs in ${dir}`,
    );
    return EXIT.ok;
  },
});
