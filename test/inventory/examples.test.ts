import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import type { Inventory } from "../../src/inventory/model.ts";
import { inventoryJsonSchema } from "../../src/inventory/schema.ts";
import { selectHosts } from "../../src/inventory/select.ts";

const root = new URL("../../", import.meta.url);

async function example(name: string): Promise<{ inventory: Inventory; codes: string[] }> {
  const path = fileURLToPath(new URL(`inventory/examples/${name}.yaml`, root));
  const now = Date.parse("2026-11-23");
  const loaded = await loadInventory({ path, cwd: "/", env: { HOME: "/home/op" }, now });
  return { inventory: requireValid(loaded), codes: loaded.problems.map(({ code }) => code) };
}

const host = (inventory: Inventory, name: string) => {
  const found = inventory.hosts.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no host ${name}`);
  return found;
};

describe("homelab", () => {
  test("three hosts, one of each boot", async () => {
    const { inventory, codes } = await example("homelab");
    expect(inventory.hosts.map(({ name, role }) => [name, role])).toEqual([
      ["node-01", "bootstrap"],
      ["node-02", "peer"],
      ["node-03", "peer"],
    ]);
    expect(host(inventory, "node-01").roles).toEqual(["bootstrap", "gateway"]);
    expect(inventory.hosts.map(({ hardware }) => hardware.boot)).toEqual(["uefi", "bios", "rpi"]);
    expect(host(inventory, "node-03").k3s).toMatchObject({
      role: "agent",
      labels: { "macula.io/role": "edge" },
    });
    expect(host(inventory, "node-02").users.macula?.keys).toHaveLength(1);
    expect(inventory.policy).toMatchObject({
      canary: { count: { kind: "count", n: 1 }, prefer: ["node-02"] },
      confirmTimeoutMs: 120_000,
    });
    expect(new Set(codes)).toEqual(new Set(["W502", "W201", "W202", "E203"]));
  });
});

describe("commons", () => {
  test("24 hosts on 6 sites, behind four bastions", async () => {
    const { inventory, codes } = await example("commons");
    expect(inventory.hosts).toHaveLength(24);
    expect(Object.keys(inventory.sites)).toHaveLength(6);
    expect(host(inventory, "lyon-peer-02")).toMatchObject({
      address: "192.168.10.12",
      bastion: "lyon-jump",
      site: "lyon",
      arch: "aarch64-linux",
      tags: ["low-power"],
      k3s: { cluster: "lyon", role: "agent" },
    });
    expect(host(inventory, "porto-peer-03").address).toBe("porto-peer-03.porto.lan");
    expect(host(inventory, "gent-gw-01").mesh.bootstrapPeers).toEqual([
      "boot1.commons.example:443",
      "boot2.commons.example:443",
    ]);
    expect(host(inventory, "ams-boot-01").mesh.bootstrapPeers).toEqual(["boot2.commons.example:443"]);
    expect(inventory.sites.gent?.windows).toEqual([
      { days: ["wed"], start: "01:00", lengthMs: 4 * 3_600_000, tz: "Europe/Brussels" },
    ]);
    expect(inventory.policy.maxUnavailable).toEqual({
      fleet: { kind: "percent", pct: 20 },
      site: { kind: "count", n: 1 },
      clusters: {},
    });
    expect(inventory.policy.soak).toEqual({ canaryMs: 1_800_000, waveMs: [1_800_000] });
    expect(codes).toContain("E303");
  });
});

describe("retail", () => {
  test("200 hosts from six entries", async () => {
    const { inventory } = await example("retail");
    expect(inventory.hosts).toHaveLength(200);
    const places = inventory.hosts.map(({ bastion, address, port }) => `${bastion} ${address} ${port}`);
    expect(new Set(places).size).toBe(200);
    expect(host(inventory, "store-120").address).toBe("10.40.1.129");
    expect(host(inventory, "store-121")).toMatchObject({ address: "10.40.2.10", arch: "aarch64-linux" });
    expect(host(inventory, "store-077")).toMatchObject({
      state: "maintenance",
      address: "10.40.1.86",
      tags: ["store"],
    });
    expect(host(inventory, "boot-2")).toMatchObject({ bastion: null, address: "boot-2.retail.example" });
    expect(host(inventory, "boot-2").rollout).toEqual({ canary: "never", order: 90 });
    expect(host(inventory, "hub-01").ssh).toMatchObject({
      connectTimeoutMs: 15_000,
      identityFile: "/home/op/.ssh/fleet_ed25519",
    });
    expect(selectHosts(inventory, "group=arm").length).toBe(60);
    expect(inventory.policy).toMatchObject({
      maxParallel: { kind: "count", n: 25 },
      maxUnavailable: { clusters: { core: { kind: "count", n: 1 } } },
      maxFailures: { wave: { kind: "percent", pct: 5 }, waveMax: 3 },
      soak: { canaryMs: 7_200_000, waveMs: [1_800_000, 600_000] },
      offline: { policy: "defer" },
    });
  });
});

test("inventory/schema.json is what the schema generates (node scripts/generate-schema.ts)", () => {
  const published: unknown = JSON.parse(readFileSync(new URL("inventory/schema.json", root), "utf8"));
  expect(published).toEqual(JSON.parse(JSON.stringify(inventoryJsonSchema())));
});

describe("makerspace", () => {
  test("six hosts that use every kind of statement", async () => {
    const { inventory, codes } = await example("makerspace");
    expect(inventory.hosts).toHaveLength(6);
    expect(host(inventory, "brain-1")).toMatchObject({
      backup: { enable: true, repository: "rest:https://backup.example/brain-1", retention: 30 },
      services: { softServe: { enable: true, openFirewall: true } },
    });
    expect(host(inventory, "laser")).toMatchObject({
      services: { nats: { enable: true } },
      arch: "aarch64-linux",
    });
    expect(new Set(codes)).toEqual(new Set(["W502", "W202"]));
  });
});
