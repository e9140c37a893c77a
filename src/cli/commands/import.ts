import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import type { App } from "../../app.ts";
import { EXIT } from "../../errors.ts";
import { type Imported, type ImportOptions, importNode } from "../../import/import-node.ts";
import type { NodeFiles } from "../../import/node-files.ts";
import { fragmentYaml, humanLines, importJson } from "../../import/render.ts";
import type { Target } from "../../transport/transport.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [
    [
      "<host-or-file>",
      "a host of the inventory, an ssh name or address, or a node's directory, .tar or .yaml",
    ],
  ],
  options: [
    ["--as <name>", "name of the host in the inventory", "its own"],
    ["--user <user>", "login on a host that is not in the inventory", "macula"],
    ["--address <address>", "how to reach the node whose files these are"],
    ["--out <dir>", "write NAME.yaml and its secrets (0600) there instead of printing"],
  ],
  examples: [
    "macula-fleet import riga-gw-01 --out import/",
    "macula-fleet import 10.9.0.2 --user rancher",
    "macula-fleet import node.tar --as riga-gw-01 --address 10.9.0.2",
  ],
  schema: z.object({
    as: z.string().optional(),
    user: z.string().default("macula"),
    address: z.string().optional(),
    out: z.string().optional(),
  }),
  async run(app, { args, options }) {
    const subject = args[0] ?? "";
    const { files, known } = await read(app, subject, options.user);
    const as = options.as ?? known.name;
    const address = options.address ?? known.address;
    const imported = importNode(files, {
      ...(as === undefined ? {} : { name: as }),
      ...(address === undefined ? {} : { address }),
    });
    if (options.out !== undefined) await writeOut(options.out, imported);
    if (app.format === "json" || app.format === "ndjson") app.json(importJson(imported));
    else {
      for (const line of humanLines(imported)) app.note(line);
      if (options.out === undefined) {
        app.print(fragmentYaml(imported));
        if (imported.secrets.length > 0)
          app.note("secrets were left out: --out DIR writes them to files only you can read");
      } else app.note(`written: ${join(options.out, `${imported.name}.yaml`)}`);
    }
    return imported.needsHuman.length > 0 ? EXIT.paused : EXIT.ok;
  },
});

async function read(
  app: App,
  subject: string,
  user: string,
): Promise<{ files: NodeFiles; known: ImportOptions }> {
  const file = resolve(app.process.cwd, subject);
  // A host's name or address has no slash, and does not end like a file.
  if (existsSync(file) || /\/|\.(?:tar|tgz|tar\.gz|ya?ml)$/.test(subject)) {
    const { readLocal } = await import("../../import/read/local.ts");
    return { files: await readLocal(file), known: {} };
  }
  const [{ readHost }, { createSshTransport }, { targetOf }] = await Promise.all([
    import("../../import/read/host.ts"),
    import("../../transport/ssh.ts"),
    import("../../inventory/target.ts"),
  ]);
  const inventory = await app.inventory().catch((error: unknown) => {
    if (app.globals.inventory !== undefined) throw error;
    return undefined;
  });
  const host = inventory?.hosts.find((h) => h.name === subject);
  const target = inventory && host ? targetOf(host, inventory) : stranger(app, subject, user);
  const transport = createSshTransport({ env: app.process.env });
  await using session = await transport.open(target, { signal: app.signal });
  const known = { address: target.address, ...(host ? { name: host.name } : {}) };
  return { files: await readHost(session, app.signal), known };
}

/** Not in the inventory: reached as `ssh` would, ssh_config and known_hosts included. */
function stranger(app: App, address: string, user: string): Target {
  const config = join(app.process.env.HOME ?? "/", ".ssh", "config");
  return {
    name: address,
    address,
    port: 22,
    user,
    hostKeys: [],
    via: [],
    hostKeyPolicy: app.globals.acceptNew ? "accept-new" : "strict",
    connectTimeoutMs: 15_000,
    defaulted: ["port", ...(user === "macula" ? (["user"] as const) : [])],
    ...(existsSync(config) ? { sshConfigFile: config } : {}),
  };
}

async function writeOut(dir: string, imported: Imported): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, `${imported.name}.yaml`), fragmentYaml(imported));
  for (const { file, value } of imported.secrets) {
    const path = join(dir, file);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, value.reveal(), { mode: 0o600 });
  }
}
