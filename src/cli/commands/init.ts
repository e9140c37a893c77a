import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { inventoryJsonSchema } from "../../inventory/schema.ts";
import { defineCommand } from "../command.ts";
import { isMachine } from "../hosts.ts";
import { scaffold } from "../scaffold.ts";

/** Of this installation: from `src/cli/commands` as from `dist/cli/commands`. */
const FLAKE = fileURLToPath(new URL("../../../flake", import.meta.url));

export const command = defineCommand({
  arguments: [["[dir]", "where; default: here"]],
  options: [
    ["--name <name>", "of the fleet", "the directory's"],
    ["--modules <flake>", "where MaculaOS's NixOS modules come from", "this installation"],
  ],
  examples: ["macula-fleet init", "macula-fleet init homelab --modules 'git+https://…?dir=flake'"],
  schema: z.object({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]*$/, "must be lower case letters, digits and dashes")
      .optional(),
    modules: z.string().optional(),
  }),
  async run(app, { args, options }) {
    const dir = resolve(app.process.cwd, args[0] ?? ".");
    const files = scaffold({
      name: options.name ?? nameOf(dir),
      template: await readFile(join(FLAKE, "template", "flake.nix"), "utf8"),
      modules: options.modules ?? `path:${encodeURI(FLAKE)}`,
      schema: inventoryJsonSchema(),
    });
    const there = [...files.keys()].filter((path) => existsSync(join(dir, path)));
    if (there.length > 0) {
      throw new FleetError("usage", `${dir} already has ${there.join(", ")}: nothing was written`, {
        hint: "choose another directory: macula-fleet init DIR",
      });
    }
    for (const [path, text] of files) {
      const file = join(dir, path);
      await mkdir(dirname(file), { recursive: true });
      // Never over a file that came meanwhile.
      await writeFile(file, text, { flag: "wx" });
    }
    const paths = [...files.keys()];
    if (isMachine(app)) app.json({ dir, files: paths });
    else {
      for (const path of paths) app.print(join(args[0] ?? ".", path));
      const cd = args[0] === undefined ? "" : `cd ${args[0]} && `;
      app.note(`Next: put your machines into inventory.yaml, then: ${cd}macula-fleet inventory validate`);
    }
    return EXIT.ok;
  },
});

/** The directory's name as a fleet's name. */
function nameOf(dir: string): string {
  const name = basename(dir)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "");
  return name === "" ? "fleet" : name;
}
