import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { withHostField } from "../../discover/adopt.ts";
import { EXIT, FleetError } from "../../errors.ts";
import { openVault } from "../../install/identity.ts";
import type { Host } from "../../inventory/model.ts";
import { publicKey } from "../../inventory/schema/primitives.ts";
import { defineCommand } from "../command.ts";
import { carryOut, makeInstallPlan, recordInstall, verdictOf } from "../install-run.ts";
import { confirmErasure, showInstallPlan } from "../installing.ts";
import { INSTALL_OPTIONS, installSchema, localTarball } from "./install.ts";

/** New hardware under an old name: its ssh identity comes from the vault, so nobody's known_hosts breaks. */
export const command = defineCommand({
  arguments: [["<host>", "the host whose machine is replaced"]],
  options: [
    ["--disk <device>", "the new machine's disk, /dev/disk/by-id/…; written into the inventory"],
    ["--serial <serial>", "serial number of that disk"],
    ["--host-key <key>", "the installer's public key, as the new machine's screen shows it; or --accept-new"],
    ["--new-identity", "go on where no identity is kept: everybody will see a changed host key"],
    ...INSTALL_OPTIONS,
  ],
  examples: ["macula-fleet replace node-03 --disk /dev/disk/by-id/nvme-eui.0025385b21404321 --check"],
  schema: z.object({
    ...installSchema,
    disk: z
      .string()
      .regex(/^\/dev\/disk\/by-/, "must be a stable name: /dev/disk/by-id/…")
      .optional(),
    serial: z.string().optional(),
    hostKey: publicKey.optional(),
    newIdentity: z.boolean().default(false),
  }),
  async run(app, { args, options }) {
    const name = args[0] ?? "";
    const before = await app.inventory();
    const old = before.hosts.find((h) => h.name === name);
    if (!old)
      throw new FleetError("limit-no-match", `the inventory has no host ${name}`, {
        hint: "macula-fleet inventory list",
      });
    const kept = await openVault(join(app.stateDir(before), "identities")).kept(name);
    if (kept === null && !options.newIdentity) {
      throw new FleetError(
        "secret-unavailable",
        `no identity of ${name} is kept here, so it would come back as a stranger`,
        {
          hint: "restore the identities directory from a backup, or say --new-identity",
        },
      );
    }
    if (options.disk !== undefined && !options.check) {
      const text = withHostField(
        await readFile(old.source.file, "utf8"),
        name,
        ["disk", "device"],
        options.disk,
      );
      const { serial } = options;
      await writeFile(
        old.source.file,
        serial === undefined ? text : withHostField(text, name, ["disk", "serial"], serial),
      );
    }
    const loaded =
      options.disk !== undefined && !options.check ? await app.inventory(undefined, "install") : before;
    // The old machine's card and serial are not the new one's; its key is not the installer's.
    const seen = join(app.stateDir(before), "replace", `${name}.known_hosts`);
    if (app.globals.acceptNew) {
      await mkdir(dirname(seen), { recursive: true, mode: 0o700 });
      await rm(seen, { force: true });
    }
    const known = app.globals.acceptNew ? { knownHostsFile: seen } : {};
    const inventory = {
      ...loaded,
      hosts: loaded.hosts.map((h) => (h.name === name ? asNew(h, options, known) : h)),
    };
    const world = {
      inventory,
      store: await app.store(inventory),
      remote: await app.remote(inventory),
      knownHostsOf: () => old.ssh.knownHostsFile,
    };
    const host = inventory.hosts.find((h) => h.name === name);
    const install = {
      ...options,
      reinstall: true,
      parallel: 1,
      ...(options.kexec === undefined ? {} : { kexec: localTarball(app.process.cwd, options.kexec) }),
    };
    const plan = await makeInstallPlan(app, world, host ? [host] : [], install);
    app.note(
      kept === null
        ? `${name} gets a new identity`
        : `${name} keeps its ssh identity (${kept.publicKey.split(" ")[0]}); what was on its disk is lost unless it was backed up`,
    );
    const machine = app.format === "json" || app.format === "ndjson";
    if (options.check || plan.hosts.length === 0) {
      if (machine) app.json(plan);
      else showInstallPlan(app, inventory, plan, "stdout");
      return plan.hosts.length === 0 ? verdictOf(plan) || EXIT.error : EXIT.ok;
    }
    if (options.planHash !== undefined && options.planHash !== plan.hash)
      throw new FleetError("plan-stale", "the machine is not what it was when this hash was made", {
        hint: "look again with --check",
      });
    if (!machine) showInstallPlan(app, inventory, plan, "stderr");
    await confirmErasure(app, inventory, plan, options.planHash);
    await recordInstall(app, world.store, plan);
    return carryOut(app, plan.id, world, install, true);
  },
});

function asNew(
  host: Host,
  o: {
    readonly disk?: string | undefined;
    readonly serial?: string | undefined;
    readonly hostKey?: string | undefined;
  },
  known: { readonly knownHostsFile?: string },
): Host {
  const { mac: _m, serial: _s, machineId: _i, ...identity } = host.identity;
  const { serial, ...disk } = host.disk;
  const newSerial = o.serial ?? (o.disk === undefined ? serial : undefined);
  return {
    ...host,
    ssh: { ...host.ssh, ...known },
    identity: { ...identity, hostKeys: o.hostKey === undefined ? [] : [o.hostKey] },
    disk: {
      ...disk,
      device: o.disk ?? disk.device,
      ...(newSerial === undefined ? {} : { serial: newSerial }),
    },
  };
}
