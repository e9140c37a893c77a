import { describe, expect, test } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { requireValid } from "../../src/inventory/load.ts";
import { HEADER, hostOf, inventoryOf, loadTree } from "./fleet.ts";

const HOST = "hosts: {a: {address: 10.0.0.1, role: bootstrap}}\n";
const one = HEADER + HOST;

const thrown = async (promise: Promise<unknown>): Promise<FleetError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof FleetError) return error;
  throw new Error(`expected a FleetError, got ${String(error)}`);
};

describe("which inventory", () => {
  test.each([
    ["-i wins", { path: "x.yaml", env: { MACULA_FLEET_INVENTORY: "y.yaml" } }, "/fleet/x.yaml"],
    ["then the environment", { env: { MACULA_FLEET_INVENTORY: "y.yaml" } }, "/fleet/y.yaml"],
    ["an empty variable is none", { env: { MACULA_FLEET_INVENTORY: "" } }, "/fleet/inventory.yaml"],
    ["then inventory.yaml", {}, "/fleet/inventory.yaml"],
  ])("%s", async (_, options, file) => {
    const tree = {
      "/fleet/x.yaml": one,
      "/fleet/y.yaml": one,
      "/fleet/inventory.yaml": one,
      "/fleet/inventory/a.yaml": one,
    };
    expect(requireValid(await loadTree(tree, options)).files).toEqual([file]);
  });

  test("then the directory inventory, its YAML files in order", async () => {
    const tree = {
      "/fleet/inventory/b.yml": HOST,
      "/fleet/inventory/a.yaml": HEADER,
      "/fleet/inventory/.hidden.yaml": "x: [",
      "/fleet/inventory/README.md": "x",
      "/fleet/inventory/secrets/s.yaml": "x: 1",
    };
    const inventory = requireValid(await loadTree(tree));
    expect(inventory.files).toEqual(["/fleet/inventory/a.yaml", "/fleet/inventory/b.yml"]);
    expect(inventory.baseDir).toBe("/fleet/inventory");
    expect(hostOf(inventory, "a").source).toEqual({ file: "/fleet/inventory/b.yml", line: 1, col: 9 });
  });

  test.each([
    ["nothing there", {}, {}, "no inventory.yaml and no inventory/ in /fleet"],
    ["a wrong -i", { path: "nope.yaml" }, {}, "no inventory at nope.yaml"],
    [
      "a wrong variable",
      { env: { MACULA_FLEET_INVENTORY: "nope.yaml" } },
      {},
      "from $MACULA_FLEET_INVENTORY",
    ],
    ["a directory without YAML", {}, { "/fleet/inventory/x.txt": "" }, "no *.yaml file"],
  ])("%s is said with a next step", async (_, options, tree, message) => {
    const error = await thrown(loadTree(tree, options));
    expect(error.code).toBe("inventory-not-found");
    expect(error.message).toContain(message);
    expect(error.hint).toBeTruthy();
  });

  test("syntax errors of all files come together", async () => {
    const { problems, inventory } = await loadTree({
      "/fleet/inventory/a.yaml": "a: [",
      "/fleet/inventory/b.yaml": "b: {",
    });
    expect(inventory).toBeUndefined();
    expect(new Set(problems.map(({ at }) => at?.file))).toEqual(
      new Set(["/fleet/inventory/a.yaml", "/fleet/inventory/b.yaml"]),
    );
  });
});

test("paths: ~ is HOME, relative ones start at the inventory", async () => {
  const tree = {
    "/srv/fleet/inventory.yaml": `${HEADER}bastions: {j: {address: j.example, identityFile: keys/j}}
defaults: {ssh: {identityFile: ~/.ssh/k, knownHosts: ./known_hosts, configFile: /etc/ssh/ssh_config}}
lab: {backend: sim, dir: .}
${HOST}`,
  };
  const inventory = requireValid(await loadTree(tree, { path: "/srv/fleet/inventory.yaml" }));
  expect(hostOf(inventory, "a").ssh).toMatchObject({
    identityFile: "/home/op/.ssh/k",
    knownHostsFile: "/srv/fleet/known_hosts",
    configFile: "/etc/ssh/ssh_config",
  });
  expect(inventory.bastions.j?.identityFile).toBe("/srv/fleet/keys/j");
  expect(inventory.fleet.flake).toBe("/srv/fleet/flake");
  expect(inventory.lab).toEqual({ backend: "sim", dir: "/srv/fleet" });
});

test.each([
  ["./flake", "/fleet/flake"],
  [".", "/fleet"],
  ["./flake?dir=x#y", "/fleet/flake?dir=x#y"],
  ["path:../nix", "path:/nix"],
  ["github:a/b", "github:a/b"],
  ["git+ssh://git@h/x", "git+ssh://git@h/x"],
])("flake %s -> %s", async (stated, resolved) => {
  const header = HEADER.replace("./flake", JSON.stringify(stated));
  const inventory = requireValid(await loadTree({ "/fleet/inventory.yaml": header + HOST }));
  expect(inventory.fleet.flake).toBe(resolved);
});

test("everything has a default", async () => {
  const inventory = await inventoryOf(HOST);
  expect(hostOf(inventory, "a")).toMatchObject({
    port: 22,
    user: "macula",
    bastion: null,
    connect: "ssh",
    site: null,
    role: "bootstrap",
    arch: "x86_64-linux",
    os: "nixos",
    state: "active",
    channel: "stable",
    hardware: { boot: "uefi", consoles: [] },
    disk: { device: "facts", layout: "single-ext4", espSize: "1GiB" },
    network: { dhcp: true },
    k3s: { role: "none" },
    rollout: { order: 0 },
    ssh: { connectTimeoutMs: 10_000, hostKeyPolicy: "strict", elevate: "auto" },
    build: { on: "local" },
  });
  expect(inventory.fleet.release).toBe("26.05");
});

describe("layers", () => {
  const TEXT = `
defaults: {user: d, port: 1, arch: x86_64-linux, labels: {from: defaults, d: "1"}, tags: [d], network: {dhcp: true, dns: [1.1.1.1, 8.8.8.8]}}
sites: {s: {vars: {user: s, port: 2, labels: {from: site, s: "1"}}}}
groups:
  parent: {children: [child], vars: {user: p, labels: {from: parent, p: "1"}, network: {dns: [9.9.9.9]}}}
  child: {vars: {labels: {from: child, c: "1"}, tags: [c]}}
  last: {vars: {labels: {from: last}, tags: [l, d]}}
hosts:
  plain: {address: 10.0.0.1, role: bootstrap}
  "r-[1:3]": {address: "10.0.1.1+", site: s, groups: [child, last], user: range, note: "{name} is {n}"}
  r-2: {user: exact, labels: {from: exact}, network: {static: {mac: "52:54:00:00:00:02", address: 10.0.1.2/24, gateway: 10.0.1.254}}}
  swapped: {address: 10.0.2.1, groups: [last, child]}
`;
  test("defaults < site < groups (ancestors first) < range < host; lists are replaced, tags add up", async () => {
    const inventory = await inventoryOf(TEXT);
    expect(hostOf(inventory, "plain")).toMatchObject({
      user: "d",
      port: 1,
      labels: { from: "defaults" },
      tags: ["d"],
    });
    expect(hostOf(inventory, "r-1")).toMatchObject({
      user: "range",
      port: 2,
      groups: ["parent", "child", "last"],
      labels: { from: "last", d: "1", s: "1", p: "1", c: "1" },
      tags: ["d", "c", "l"],
      network: { dhcp: true, dns: ["9.9.9.9"] },
      note: "r-1 is 1",
    });
    expect(hostOf(inventory, "r-2")).toMatchObject({
      user: "exact",
      address: "10.0.1.2",
      labels: { from: "exact", c: "1" },
    });
    expect(hostOf(inventory, "r-2").network).toMatchObject({
      dhcp: false,
      static: { address: "10.0.1.2/24", dns: [] },
    });
    expect(hostOf(inventory, "swapped").labels.from).toBe("child");
    expect(hostOf(inventory, "swapped").user).toBe("p");
  });

  test("groups list their hosts in inventory order, children included", async () => {
    const { groups } = await inventoryOf(TEXT);
    expect(groups).toEqual({
      parent: ["r-1", "r-2", "r-3", "swapped"],
      child: ["r-1", "r-2", "r-3", "swapped"],
      last: ["r-1", "r-2", "r-3", "swapped"],
    });
  });

  test("null takes a bastion away; braces in file contents stay", async () => {
    const inventory = await inventoryOf(`
bastions: {j: {address: j.example}}
defaults: {bastion: j, files: [{path: "/etc/{name}", content: "{name}"}]}
hosts: {a: {address: 10.0.0.1, role: bootstrap, bastion: null}, b: {address: 10.0.0.1}}
`);
    expect(inventory.hosts.map(({ bastion }) => bastion)).toEqual([null, "j"]);
    expect(hostOf(inventory, "a").files).toEqual([{ path: "/etc/{name}", content: "{name}" }]);
  });

  test("anchors and merge keys work", async () => {
    const inventory = await inventoryOf(`
hosts:
  a: &a {address: 10.0.0.1, role: bootstrap, disk: {device: auto}}
  b: {<<: *a, address: 10.0.0.2}
`);
    expect(hostOf(inventory, "b")).toMatchObject({
      address: "10.0.0.2",
      disk: { device: "auto" },
      role: "bootstrap",
    });
  });

  test("names of Object's own are just names", async () => {
    const inventory = await inventoryOf(`
groups: {constructor: {vars: {user: x}}}
hosts: {a: {address: 10.0.0.1, role: bootstrap, groups: [constructor]}}
`);
    expect(hostOf(inventory, "a").user).toBe("x");
  });
});

test("5000 hosts written out are read and checked", async () => {
  const hosts = Array.from(
    { length: 5000 },
    (_, i) => `  n-${i}: {address: 10.${i >> 8}.1.${i & 255}, site: s, role: bootstrap}`,
  );
  const { inventory, problems } = await loadTree({
    "/fleet/inventory.yaml": `${HEADER}sites: {s: {}}\nhosts:\n${hosts.join("\n")}\n`,
  });
  expect(inventory?.hosts).toHaveLength(5000);
  expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
});
