import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { labBackend } from "../lab.ts";

export const command = defineCommand({
  arguments: [["<name>", "name of the release; becomes the head of the lab's flake"]],
  options: [
    ["--behaviour <kind>", "good, bad-health, activation-fails, needs-reboot, …", "good"],
    ["--hosts <globs>", "only these hosts behave so; elsewhere it is good"],
    ["--dir <dir>", "where it lives", "~/.local/state/macula-fleet/lab"],
  ],
  examples: [
    "macula-fleet lab release r3",
    "macula-fleet lab release r4 --behaviour bad-health --hosts 'node-0*'",
  ],
  schema: z.object({
    behaviour: z.string().optional(),
    hosts: z.string().optional(),
    dir: z.string().optional(),
  }),
  async run(app, { args, options }) {
    const [name = ""] = args;
    const lab = await labBackend(app, options.dir);
    await lab.release(name, {
      ...(options.behaviour === undefined ? {} : { behaviour: options.behaviour }),
      ...(options.hosts === undefined ? {} : { hosts: options.hosts.split(",") }),
    });
    app.note(`LAB: the flake is at ${name} now`);
    return EXIT.ok;
  },
});
