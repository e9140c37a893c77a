import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { labBackend } from "../lab.ts";

const Count = z.coerce
  .number("must be a whole number")
  .int("must be a whole number")
  .min(1, "must be at least 1");

export const command = defineCommand({
  options: [
    ["--hosts <n>", "how many", "12"],
    ["--sites <n>", "spread over this many sites", "4"],
    ["--dir <dir>", "where it lives", "~/.local/state/macula-fleet/lab"],
    [
      "--backend <kind>",
      "sim: simulated NixOS behind real SSH servers; docker: containers with OpenSSH, systemd and Nix",
      "sim",
    ],
    ["--blank", "hosts wait in an installer instead of running release r1"],
    ["--foreground", "stay here until ^C"],
  ],
  examples: [
    "macula-fleet lab up --hosts 12",
    "macula-fleet lab up --hosts 200 --sites 10 --dir /tmp/lab",
    "macula-fleet lab up --backend docker --hosts 8",
  ],
  schema: z.object({
    hosts: Count.default(12),
    sites: Count.optional(),
    dir: z.string().optional(),
    backend: z.enum(["sim", "docker"]).default("sim"),
    blank: z.boolean().default(false),
    foreground: z.boolean().default(false),
  }),
  async run(app, { options }) {
    const lab = await labBackend(app, options.dir, options.backend);
    const { dir: _, backend: __, ...rest } = options;
    await lab.up({ ...rest, signal: app.signal });
    return EXIT.ok;
  },
});
