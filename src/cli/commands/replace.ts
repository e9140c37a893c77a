import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { App, Remote } from "../../app.ts";
import { withHostField } from "../../discover/adopt.ts";
import { EXIT, FleetError } from "../../errors.ts";
import { type HostIdentity, openVault } from "../../install/identity.ts";
import type { InstallTarget } from "../../install/plan.ts";
import type { Host, Inventory } from "../../inventory/model.ts";
import { publicKey } from "../../inventory/schema/primitives.ts";
import { planRetire } from "../../retire/plan.ts";
import { forget } from "../../retire/retire.ts";
import { bareKey } from "../../transport/public-key.ts";
import { defineCommand } from "../command.ts";
import {
  assertAnywhere,
  carryOut,
  checkedVerdict,
  makeInstallPlan,
  recordInstall,
  verdictOf,
} from "../install-run.ts";
import { assertHash, commandLine, confirmErasure, option, showInstallPlan } from "../installing.ts";
import { editInventory } from "../inventory-file.ts";
import { announcePins } from "../pinning.ts";
import { INSTALL_OPTIONS, installSchema, installWords, localTarball } from "./install.ts";

/** New hardware under an old name: its ssh identity comes from the vault, so nobody's known_hosts breaks. */
export const command = defineCommand({
  arguments: [["<host>", "the host whose machine is replaced"]],
  options: [
    ["--disk <device>", "the new machine's disk, /dev/disk/by-id/…; written into the inventory"],
    ["--serial <serial>", "serial number of that disk"],
    ["--host-key <key>", "the installer's public key, as the new machine's screen shows it; or --accept-new"],
    ["--same-machine", "it may be the machine that has this name now: erase it all the same"],
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
    sameMachine: z.boolean().default(false),
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
    // The new system is built from what the inventory will say; it is written when that is confirmed, not before.
    const file = old.source.file;
    const disk = (text: string) => withNewDisk(text, name, options);
    const loaded =
      options.disk === undefined
        ? before
        : await app.inventory(undefined, "install", { [file]: disk(await readFile(file, "utf8")) });
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
      recorded: () => old,
    };
    const host = inventory.hosts.find((h) => h.name === name);
    const install = {
      ...options,
      reinstall: true,
      parallel: 1,
      ...(options.kexec === undefined ? {} : { kexec: localTarball(app.process.cwd, options.kexec) }),
    };
    const plan = await makeInstallPlan(app, world, host ? [host] : [], install);
    const target = plan.targets[name];
    if (target !== undefined && !options.sameMachine) assertNew(old, target, kept);
    const change = (text: string) => withNewHardware(disk(text), old, target?.macs ?? []);
    if (target !== undefined) change(await readFile(file, "utf8"));
    await announcePins(app, plan, loaded);
    app.note(
      kept === null
        ? `${name} gets a new identity`
        : `${name} keeps its ssh identity (${kept.publicKey.split(" ")[0]}); what was on its disk is lost unless it was backed up`,
    );
    const { cluster } = placeInCluster(old, inventory);
    if (cluster?.server)
      app.note(
        `node ${cluster.node} and its password are deleted from cluster ${cluster.name} (through ${cluster.server}) first: the new machine joins as a new node`,
      );
    const words = [
      "replace",
      name,
      ...option("--disk", options.disk),
      ...option("--serial", options.serial),
      ...option("--host-key", options.hostKey),
      options.sameMachine && "--same-machine",
      options.newIdentity && "--new-identity",
      app.globals.acceptNew && "--accept-new",
      ...installWords(install),
    ];
    const machine = app.format === "json" || app.format === "ndjson";
    if (options.check || plan.hosts.length === 0) {
      if (machine) app.json(plan);
      else showInstallPlan(app, inventory, plan, "stdout");
      return plan.hosts.length === 0 ? verdictOf(plan) || EXIT.error : checkedVerdict(plan, options);
    }
    assertHash(plan, options.planHash, commandLine(app, [...words, "--check"]));
    await assertAnywhere(app, inventory, options.nixosAnywhere);
    if (!machine) showInstallPlan(app, inventory, plan, "stderr");
    await confirmErasure(app, inventory, plan, options.planHash, words);
    await forgetOld(app, old, inventory, world.remote);
    await editInventory(file, change);
    await recordInstall(app, world.store, plan);
    return carryOut(app, plan.id, world, install, true);
  },
});

/** The old disk's serial is not the new one's. */
function withNewDisk(
  text: string,
  host: string,
  { disk, serial }: { readonly disk?: string | undefined; readonly serial?: string | undefined },
): string {
  if (disk === undefined) return text;
  return withHostField(withHostField(text, host, ["disk", "device"], disk), host, ["disk", "serial"], serial);
}

/** What the inventory knew the old hardware by; else the next look would say that it is another machine. */
function withNewHardware(text: string, { name, identity }: Host, macs: readonly string[]): string {
  const { mac } = identity;
  const same = mac === undefined || macs.includes(mac.toLowerCase());
  const changes = [
    ...(same ? [] : [["mac", macs[0]] as const]),
    ...(["serial", "machineId"] as const)
      .filter((f) => identity[f] !== undefined)
      .map((f) => [f, undefined] as const),
  ];
  return changes.reduce((t, [field, value]) => withHostField(t, name, ["identity", field], value), text);
}

/** New hardware is not what answers here as the host itself: that would be erased while it works. */
function assertNew(old: Host, target: InstallTarget, kept: HostIdentity | null): void {
  const known = [...old.identity.hostKeys, ...(kept === null ? [] : [kept.publicKey])].map(bareKey);
  const { mac } = old.identity;
  const shows = target.hostKeys.some((k) => known.includes(bareKey(k)))
    ? `has the host key of ${old.name}`
    : !target.inInstaller && mac !== undefined && target.macs.includes(mac.toLowerCase())
      ? `has the network card of ${old.name} (${mac})`
      : null;
  if (shows === null) return;
  throw new FleetError(
    "install-refused",
    `what answers at ${old.address} ${shows}, and runs ${target.runs}: it is ${old.name} itself, not new hardware`,
    {
      hint: `start the new machine's installer at this address first; to erase this one all the same: --same-machine, or macula-fleet install --limit ${old.name} --reinstall`,
    },
  );
}

const placeInCluster = (host: Host, inventory: Inventory) =>
  planRetire(host, inventory, { backup: false, wipe: false, gone: true });

/** k3s would refuse the new machine under the old name: it cannot know the old one's password. */
async function forgetOld(app: App, old: Host, inventory: Inventory, remote: Remote): Promise<void> {
  const place = placeInCluster(old, inventory);
  if (!place.cluster?.server) return;
  await forget(place, {
    hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
    connect: (h, signal) => remote.pool.fresh(remote.targetOf(h), signal),
    signal: app.signal,
  });
}

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
