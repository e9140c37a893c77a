import { z } from "zod";
import type { App } from "../../app.ts";
import { entryText, type NewHost, withHost } from "../../discover/adopt.ts";
import { EXIT, FleetError } from "../../errors.ts";
import type { HostFacts } from "../../host/protocol.ts";
import { chooseDisk } from "../../install/disk.ts";
import type { Host, Inventory } from "../../inventory/model.ts";
import { role as Role } from "../../inventory/schema/primitives.ts";
import { defineCommand } from "../command.ts";
import { editInventory } from "../inventory-file.ts";

export const command = defineCommand({
  arguments: [["<address>", "where it answers: ADDRESS or ADDRESS:PORT"]],
  options: [
    ["--as <name>", "its name in the inventory"],
    ["--role <role>", "peer, gateway or bootstrap", "peer"],
    ["--site <site>", "where it is"],
    ["--user <user>", "who to log in as", "root"],
    [
      "--host-key <key>",
      "its public key, as its screen shows it; otherwise --accept-new trusts the first one seen",
    ],
    ["--write", "add it to the inventory file; without this the entry is only printed"],
  ],
  examples: [
    "macula-fleet adopt 192.168.1.57 --as node-02 --accept-new",
    "macula-fleet adopt 192.168.1.57 --as node-02 --role gateway --write --accept-new",
  ],
  schema: z.object({
    as: z
      .string("is needed: the machine's name in the inventory")
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "must be a lower-case host name such as node-02"),
    role: Role.optional(),
    site: z.string().optional(),
    user: z.string().default("root"),
    hostKey: z.string().optional(),
    write: z.boolean().default(false),
  }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const { address, port } = placeOf(args[0] ?? "");
    if (inventory.hosts.some((h) => h.name === options.as))
      throw new FleetError("usage", `the inventory has a host ${options.as} already`, {
        hint: "choose another name with --as; for new hardware: macula-fleet replace",
      });
    const same = inventory.hosts.find((h) => h.address === address && h.port === port && h.bastion === null);
    if (same)
      throw new FleetError("usage", `${address} is ${same.name} in the inventory`, {
        hint: `macula-fleet install --limit ${same.name}`,
      });
    const facts = await look(app, inventory, { ...options, address, port });
    const host = newHost({ ...options, address, port }, facts);
    app.note(
      `${options.as} is ${facts.model || "a machine"} with ${facts.disks.length === 1 ? "1 disk" : `${facts.disks.length} disks`}, runs ${facts.os.id || "an unknown system"} ${facts.os.variant}`.trimEnd(),
    );
    if (options.write) {
      const file = fileFor(inventory);
      await editInventory(file, (text) => withHost(text, host));
      app.note(`added ${options.as} to ${file}; next: macula-fleet install --limit ${options.as} --check`);
    }
    app.print(entryText(host));
    return EXIT.ok;
  },
});

interface Wanted {
  readonly as: string;
  readonly role?: NewHost["role"] | undefined;
  readonly site?: string | undefined;
  readonly user: string;
  readonly hostKey?: string | undefined;
  readonly address: string;
  readonly port: number;
}

function placeOf(text: string): { readonly address: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? text;
  return { address, port: Number(match?.[3] ?? 22) };
}

/** As a host of this inventory would be reached; without a key of it only `--accept-new` gets in. */
async function look(app: App, inventory: Inventory, wanted: Wanted): Promise<HostFacts> {
  const [pattern] = inventory.hosts;
  if (!pattern)
    throw new FleetError("usage", "the inventory has no host to take ssh settings from", {
      hint: "write the first host by hand",
    });
  const { address, port, user } = wanted;
  const host: Host = {
    ...pattern,
    name: wanted.as,
    address,
    port,
    user,
    bastion: null,
    identity: { hostKeys: wanted.hostKey === undefined ? [] : [wanted.hostKey] },
  };
  const { driver } = await app.remote(inventory);
  return driver.facts(host, { signal: app.signal });
}

function newHost(wanted: Wanted, facts: HostFacts): NewHost {
  const probe = { disk: { device: "auto", keep: [], data: {} } } as unknown as Host;
  const choice = chooseDisk(probe, facts);
  const { role, site } = wanted;
  return {
    name: wanted.as,
    address: wanted.address,
    port: wanted.port,
    ...(role === undefined || role === "peer" ? {} : { role }),
    ...(site === undefined ? {} : { site }),
    arch: `${facts.arch}-linux`,
    boot: facts.bootMode,
    ...(choice.ok ? { disk: choice.disk.path, serial: choice.disk.serial } : {}),
    ...(facts.uplink.mac === "" ? {} : { mac: facts.uplink.mac }),
    // An installer's own key ends with its next boot. What runs is known by its key until an installation gives it another.
    hostKeys:
      facts.os.variant === "installer" ? [] : facts.hostKeys.filter((k) => k.startsWith("ssh-ed25519 ")),
  };
}

function fileFor(inventory: Inventory): string {
  const [file, ...more] = inventory.files;
  if (file !== undefined && more.length === 0) return file;
  throw new FleetError("usage", "the inventory has several files, so nobody can say into which one", {
    hint: "leave --write out and paste the entry where it belongs",
  });
}
