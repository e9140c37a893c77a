/** The published example inventories, from YAML through our resolver to machines: both sides mean the same. */
import { fileURLToPath } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { wantedSecrets } from "../../src/install/secrets/wanted.ts";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import type { Host, Inventory } from "../../src/inventory/model.ts";
import { toResolvedJson } from "../../src/inventory/resolved-json.ts";
import { disks, type Machine, machines } from "./machine.ts";
import { describeNix, FIXTURES, temporaryFile } from "./nix.ts";

const EXAMPLES = fileURLToPath(new URL("../../inventory/examples/", import.meta.url));
const OPERATOR = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleOperator ops";

async function load(path: string): Promise<Inventory> {
  return requireValid(await loadInventory({ path, cwd: EXAMPLES, env: {}, now: 0 }));
}

type Slot = { readonly path: string };
const sorted = <T extends Slot>(slots: readonly T[]): readonly T[] =>
  slots.toSorted((a, b) => (a.path < b.path ? -1 : 1));

/** What an install delivers to a host, and what its machine wants, in the same form. */
const delivered = (inventory: Inventory, host: Host): readonly Slot[] =>
  sorted(
    wantedSecrets(host, inventory).map(({ path, mode, from, installOnly }) => ({
      path,
      mode,
      from,
      installOnly,
    })),
  );
const wanted = (machine: Machine | undefined): readonly Slot[] =>
  sorted(
    Object.values(machine?.secrets ?? {}).map((slot) => ({
      path: slot.path,
      mode: Number.parseInt(slot.mode, 8),
      from: slot.ref ?? slot.entries,
      installOnly: slot.installOnly,
    })),
  );

const EVERY_SECRET = `
apiVersion: macula.io/v1
kind: FleetInventory
fleet: {name: all, realm: io.macula.all, flake: ./flake}
clusters: {c: {tokenRef: "env:TOKEN", agentTokenRef: "env:AGENT", datastore: external, datastoreRef: "env:DATASTORE"}}
hosts:
  server:
    address: 10.0.0.1
    roles: [bootstrap]
    mesh: {publicAddress: boot.example}
    users: {macula: {keys: ["${OPERATOR}"], passwordHashRef: "env:HASH"}}
    disk: {device: /dev/disk/by-id/x, encryption: "env:DISK"}
    network: {wifi: [{ssid: one, pskRef: "env:ONE"}, {ssid: two, pskRef: "env:TWO"}]}
    files: [{path: /etc/app/key, mode: "0440", ref: "env:FILE"}, {path: /opt/key, ref: "env:OTHER"}, {path: /etc/x, content: y}]
    k3s: {cluster: c, role: server}
    backup: {enable: true, repository: "s3:https://s3.example/{name}", passwordRef: "env:BACKUP", environmentRef: "file:aws.env"}
  agent: {address: 10.0.0.2, users: {macula: {keys: ["${OPERATOR}"]}}, disk: {device: image}, k3s: {cluster: c, role: agent}}
`;

describeNix("an inventory with every kind of secret", () => {
  it("has each delivered to where the machine looks for it", async () => {
    const inventory = await load(temporaryFile("inventory.yaml", EVERY_SECRET));
    const found = machines(temporaryFile("fleet.json", toResolvedJson(inventory)));
    for (const host of inventory.hosts) expect(wanted(found[host.name])).toEqual(delivered(inventory, host));
    expect(wanted(found.server)).toHaveLength(10);
    expect(wanted(found.agent)).toHaveLength(1);
  });
});

const FURTHER_DISKS = `
apiVersion: macula.io/v1
kind: FleetInventory
fleet: {name: all, realm: io.macula.all, flake: ./flake}
hosts:
  one:
    address: 10.0.0.1
    role: bootstrap
    disk:
      device: /dev/disk/by-id/x
      data:
        kept: {device: /dev/disk/by-id/y, mountpoint: /srv/kept, serial: S1}
        erased: {device: "/dev/disk/by-id/{name}", mountpoint: /srv/erased, fsType: xfs, erase: true}
`;

describeNix("an inventory with further disks", () => {
  it("has them made and mounted, and only those erased of which it says so", async () => {
    const inventory = await load(temporaryFile("inventory.yaml", FURTHER_DISKS));
    const path = temporaryFile("fleet.json", toResolvedJson(inventory));
    expect(machines(path, { operatorKeys: [OPERATOR] }).one?.failed).toEqual([]);
    const disk = (device: string, destroy: boolean, format: string, mountpoint: string) => ({
      device: `/dev/disk/by-id/${device}`,
      destroy,
      content: { type: "gpt", partitions: { data: { size: "100%", content: { format, mountpoint } } } },
    });
    expect(disks(path).one).toMatchObject({
      disk: {
        main: { device: "/dev/disk/by-id/x" },
        kept: disk("y", false, "ext4", "/srv/kept"),
        erased: disk("one", true, "xfs", "/srv/erased"),
      },
    });
  });
});

describeNix.each(FIXTURES)("the %s example", (name) => {
  let inventory: Inventory;
  let found: Readonly<Record<string, Machine>>;
  let layouts: Readonly<Record<string, unknown>>;
  beforeAll(async () => {
    inventory = await load(`${EXAMPLES}${name}.yaml`);
    const path = temporaryFile("fleet.json", toResolvedJson(inventory));
    found = machines(path, { operatorKeys: [OPERATOR] });
    layouts = disks(path);
  });

  it("becomes one machine per host that is not retired, each sound", () => {
    const present = inventory.hosts.filter((host) => host.state !== "retired").map((host) => host.name);
    expect(Object.keys(found).sort()).toEqual(present.toSorted());
    for (const [host, { failed }] of Object.entries(found)) expect(failed, host).toEqual([]);
  });

  it("means to Nix what it means here", () => {
    for (const host of inventory.hosts) {
      const values = found[host.name]?.values ?? {};
      const k3s = host.k3s.role === "none" ? undefined : host.k3s.role;
      expect(values, host.name).toMatchObject({
        "networking.hostName": host.name,
        "nixpkgs.hostPlatform": host.arch,
        "macula.boot.loader": host.hardware.boot,
        "macula.disk.device": host.disk.device,
        "services.macula.realm": inventory.fleet.realm,
        "services.macula.roles.gateway": host.roles.includes("gateway"),
        "services.macula.roles.bootstrap": host.roles.includes("bootstrap"),
      });
      expect(values["services.k3s.role"], host.name).toBe(k3s);
      const named = host.disk.device.startsWith("/");
      if (!named) expect(layouts[host.name], host.name).toBe(host.disk.device === "image" ? null : "refused");
    }
  });

  it("wants the secrets that an install delivers, where it delivers them", () => {
    for (const host of inventory.hosts) {
      expect(wanted(found[host.name]), host.name).toEqual(delivered(inventory, host));
    }
  });

  it("starts every cluster exactly once", () => {
    const clusters = Map.groupBy(
      inventory.hosts.filter(({ k3s }) => k3s.role !== "none"),
      ({ name: host, k3s }) => (inventory.clusters[k3s.cluster ?? ""]?.perHost ? `own:${host}` : k3s.cluster),
    );
    expect(clusters.size).toBeGreaterThan(0);
    for (const [cluster, members] of clusters) {
      const starters = members.filter(
        ({ name: host }) => found[host]?.values["services.k3s.serverAddr"] === undefined,
      );
      expect(starters, String(cluster)).toHaveLength(1);
    }
  });
});
