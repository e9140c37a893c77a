/** Where the key that an installation gives a machine is written down: known_hosts, and the inventory that pins its old one. */
import { access, constants, mkdir, readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { App } from "../app.ts";
import { withBastionKey, withHostField } from "../discover/adopt.ts";
import { FleetError, toFailure } from "../errors.ts";
import { openVault } from "../install/identity.ts";
import type { InstallPlan } from "../install/plan.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import { replaceHostKey } from "../transport/known-hosts-replace.ts";
import { bareKey } from "../transport/public-key.ts";
import { editInventory } from "./inventory-file.ts";

/** A place in the inventory that pins keys of a machine, where pins decide alone. */
interface Pin {
  readonly where: string;
  readonly keys: readonly string[];
  readonly files: readonly string[];
  /** Throws when it is not in this text. */
  readonly write: (text: string, key: string) => string;
}

function pinsOf(host: Host, inventory: Pick<Inventory, "bastions" | "files">): readonly Pin[] {
  const own: Pin = {
    where: `identity.hostKeys of ${host.name}`,
    keys: host.identity.hostKeys,
    files: [host.source.file],
    write: (text, key) => withHostField(text, host.name, ["identity", "hostKeys"], [key]),
  };
  const asBastion = Object.values(inventory.bastions)
    .filter((b) => host.bastion === null && b.address === host.address && b.port === host.port)
    .map(
      ({ name, hostKey }): Pin => ({
        where: `hostKey of bastion ${name}`,
        keys: hostKey === undefined ? [] : [hostKey],
        files: inventory.files,
        write: (text, key) => withBastionKey(text, name, key),
      }),
    );
  return [own, ...asBastion].filter((p) => p.keys.length > 0);
}

const keeps = (pin: Pin, key: string) => pin.keys.some((k) => bareKey(k) === bareKey(key));

/**
 * Before anything is erased: a pin of the key that goes would lock everybody out of the machine that comes. Says which
 * pins will be replaced; throws `install-refused` where one cannot be.
 */
export async function announcePins(app: App, plan: InstallPlan, inventory: Inventory): Promise<void> {
  const vault = openVault(join(app.stateDir(inventory), "identities"));
  for (const host of inventory.hosts.filter((h) => plan.targets[h.name] !== undefined)) {
    const pins = pinsOf(host, inventory);
    if (pins.length === 0) continue;
    const next = await vault.kept(host.name);
    for (const pin of pins.filter((p) => next === null || !keeps(p, next.publicKey))) {
      const file = await fileOf(pin).catch((error: unknown) => {
        const fix = next === null ? "remove it there" : `write ${next.publicKey} there`;
        throw new FleetError(
          "install-refused",
          `${pin.where} pins a key that its installation replaces, and cannot be changed by macula-fleet: ${toFailure(error).message}`,
          { hint: `${fix}, or take ${host.name} out of this run: --limit 'all:!${host.name}'` },
        );
      });
      app.note(`${pin.where} in ${file} will be the key that its installation gives it`);
    }
  }
}

/** The file in which it can be changed. */
async function fileOf(pin: Pin): Promise<string> {
  let problem: unknown;
  for (const file of pin.files) {
    try {
      pin.write(await readFile(file, "utf8"), "ssh-ed25519 AAAA");
      await access(dirname(await realpath(file)), constants.W_OK);
      return file;
    } catch (error) {
      problem = error;
    }
  }
  throw problem ?? new FleetError("usage", "it is in no file of the inventory");
}

/** `recorded`: the host as the inventory has it, where an installation was given another. One write at a time. */
export function pinInto(
  home: string,
  inventory: Inventory,
  recorded: (host: Host) => Host = (host) => host,
): (host: Host, identity: { readonly publicKey: string }) => Promise<void> {
  let tail: Promise<void> = Promise.resolve();
  const pin = async (host: Host, key: string) => {
    const file = host.ssh.knownHostsFile ?? join(home, ".ssh", "known_hosts");
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await replaceHostKey(file, host.bastion === null ? host.address : host.name, host.port, key);
    for (const stale of pinsOf(host, inventory).filter((p) => !keeps(p, key))) {
      try {
        await editInventory(await fileOf(stale), (text) => stale.write(text, key));
      } catch (error) {
        throw new FleetError(
          "install-failed",
          `${stale.where} still pins its old key: ${toFailure(error).message}`,
          {
            hint: `write ${key} there, then go on with --continue`,
          },
        );
      }
    }
  };
  return (host, { publicKey }) => {
    const next = tail.then(() => pin(recorded(host), publicKey));
    tail = next.catch(() => undefined);
    return next;
  };
}
