/** The published example inventories, from YAML through our resolver to machines: both sides mean the same. */
import { fileURLToPath } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import type { Inventory } from "../../src/inventory/model.ts";
import { toResolvedJson } from "../../src/inventory/resolved-json.ts";
import { disks, type Machine, machines } from "./machine.ts";
import { describeNix, FIXTURES, temporaryFile } from "./nix.ts";

const EXAMPLES = fileURLToPath(new URL("../../inventory/examples/", import.meta.url));
const OPERATOR = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleOperator ops";

async function example(name: string): Promise<Inventory> {
  const loaded = await loadInventory({ path: `${EXAMPLES}${name}.yaml`, cwd: EXAMPLES, env: {}, now: 0 });
  return requireValid(loaded);
}

describeNix.each(FIXTURES)("the %s example", (name) => {
  let inventory: Inventory;
  let found: Readonly<Record<string, Machine>>;
  let layouts: Readonly<Record<string, unknown>>;
  beforeAll(async () => {
    inventory = await example(name);
    const path = temporaryFile("fleet.json", toResolvedJson(inventory));
    found = machines(path, { operatorKeys: [OPERATOR] });
    layouts = disks(path);
  });

  it("becomes one machine per host that is not retired, each sound", () => {
    const wanted = inventory.hosts.filter((host) => host.state !== "retired").map((host) => host.name);
    expect(Object.keys(found).sort()).toEqual([...wanted].sort());
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
