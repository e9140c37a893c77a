import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { App } from "../../app.ts";
import { EXIT, FleetError } from "../../errors.ts";
import { loadInventory, requireValid } from "../../inventory/load.ts";
import { toResolvedJson } from "../../inventory/resolved-json.ts";
import { publicKey as publicKeySchema } from "../../inventory/schema/primitives.ts";
import { inventoryJsonSchema } from "../../inventory/schema.ts";
import { defineCommand } from "../command.ts";
import { isMachine } from "../hosts.ts";
import { INVENTORY, modulesOf, RESOLVED, scaffold } from "../scaffold.ts";

/** Of this installation: from `src/cli/commands` as from `dist/cli/commands`. */
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

export const command = defineCommand({
  arguments: [["[dir]", "where; default: here"]],
  options: [
    ["--name <name>", "of the fleet", "the directory's"],
    ["--modules <flake>", "where MaculaOS's NixOS modules come from", "this installation"],
    ["--key <file>", "SSH public key that may log in to the machines", "the first of ~/.ssh/id_*.pub"],
  ],
  examples: ["macula-fleet init", "macula-fleet init homelab --modules 'git+https://…?dir=flake'"],
  schema: z.object({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]*$/, "must be lower case letters, digits and dashes")
      .optional(),
    modules: z.string().optional(),
    key: z.string().optional(),
  }),
  async run(app, { args, options }) {
    const dir = resolve(app.process.cwd, args[0] ?? ".");
    const key = await publicKey(app, options.key);
    const modules = options.modules ?? modulesOf(ROOT, existsSync);
    const written = scaffold({
      name: options.name ?? nameOf(dir),
      template: await readFile(join(ROOT, "flake", "template", "flake.nix"), "utf8"),
      modules,
      schema: inventoryJsonSchema(),
      ...(key === undefined ? {} : { key }),
    });
    const files = new Map([...written, [RESOLVED, await resolved(app, dir, written)]]);
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
      if (key === undefined) {
        app.note("No SSH key was found: put yours into inventory.yaml (users), or no machine can be built");
      }
      if (options.modules === undefined && String(modules).startsWith("path:")) {
        app.note(
          "The modules come without the first-boot wizard: for SD cards that can be paired, put macula-fleet's repository into flake/flake.nix (macula.url)",
        );
      }
      app.note(`Next: put your machines into inventory.yaml, then: ${cd}macula-fleet inventory validate`);
    }
    return EXIT.ok;
  },
});

/** The key's text: of the named file, else of the first usual one. */
async function publicKey(app: App, file: string | undefined): Promise<string | undefined> {
  const { cwd, env } = app.process;
  if (file !== undefined) {
    const text = (await readFile(resolve(cwd, file), "utf8").catch(() => "")).trim();
    if (isPublicKey(text)) return text;
    throw new FleetError("usage", `${file} holds no SSH public key`, {
      hint: "name the .pub file: --key ~/.ssh/id_ed25519.pub",
    });
  }
  for (const name of ["id_ed25519", "id_ecdsa", "id_rsa"]) {
    if (env.HOME === undefined) return undefined;
    const text = (await readFile(join(env.HOME, ".ssh", `${name}.pub`), "utf8").catch(() => "")).trim();
    if (isPublicKey(text)) return text;
  }
  return undefined;
}

const isPublicKey = (text: string): boolean =>
  publicKeySchema.safeParse(text).success && !text.includes("\n");

/** What Nix reads of an inventory that is not on disk yet. */
async function resolved(app: App, dir: string, files: ReadonlyMap<string, string>): Promise<string> {
  const path = join(dir, INVENTORY);
  const loaded = await loadInventory({
    path,
    cwd: app.process.cwd,
    env: app.process.env,
    now: app.clock.now(),
    files: {
      kind: (file) => (file === path ? "file" : "missing"),
      list: () => [],
      read: () => files.get(INVENTORY) ?? "",
    },
  });
  return toResolvedJson(requireValid(loaded));
}

/** The directory's name as a fleet's name. */
function nameOf(dir: string): string {
  const name = basename(dir)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "");
  return name === "" ? "fleet" : name;
}
