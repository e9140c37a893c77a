import { beforeAll, describe, expect, test } from "vitest";
import { FleetError } from "../../src/errors.ts";
import type { Inventory } from "../../src/inventory/model.ts";
import { toResolvedJson } from "../../src/inventory/resolved-json.ts";
import { targetOf } from "../../src/inventory/target.ts";
import { drawTree, endpoint, graph, listRows, showHost } from "../../src/inventory/views.ts";
import { HEADER, hostOf, inventoryOf, loadTree } from "./fleet.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample";
const FLEET = `
cache: {url: "https://cache.example", publicKey: "cache:x"}
bastions:
  outer: {address: out.example, user: ops, hostKey: "${KEY} out"}
  inner: {address: in.lan, port: 2222, user: ops, bastion: outer, identityFile: /keys/inner}
sites: {gent: {timezone: Europe/Brussels, seed: node-1}}
groups: {rack: {}}
clusters: {home: {tokenRef: "env:TOKEN"}}
checks: [{name: units, type: systemd}]
hosts:
  boot: {address: 203.0.113.1, port: 2022, role: bootstrap, mesh: {publicAddress: "boot.example:443"}, k3s: {cluster: home, role: server}}
  "node-[1:3]":
    address: "10.0.0.1+"
    site: gent
    groups: [rack]
    bastion: inner
    user: fleet
    k3s: {cluster: home, role: agent}
    identity: {hostKeys: ["${KEY} node"]}
    ssh: {identityFile: /keys/fleet, knownHosts: /keys/known_hosts, hostKeyPolicy: accept-new, connectTimeout: 20s}
    note: in the cellar
  old: {address: 10.0.0.9, state: retired}
`;

let fleet: Inventory;
beforeAll(async () => {
  fleet = await inventoryOf(FLEET);
});

describe("targetOf", () => {
  test("bastions come outermost first, with their own port, key and host key", () => {
    expect(targetOf(hostOf(fleet, "node-2"), fleet)).toEqual({
      name: "node-2",
      hostKeyAlias: "node-2",
      address: "10.0.0.2",
      port: 22,
      user: "fleet",
      hostKeys: [`${KEY} node`],
      identityFile: "/keys/fleet",
      knownHostsFile: "/keys/known_hosts",
      hostKeyPolicy: "accept-new",
      connectTimeoutMs: 20_000,
      via: [
        {
          address: "out.example",
          port: 22,
          user: "ops",
          hostKeys: [`${KEY} out`],
          identityFile: "/keys/fleet",
        },
        { address: "in.lan", port: 2222, user: "ops", hostKeys: [], identityFile: "/keys/inner" },
      ],
    });
  });

  test("a direct host has no hops and strict keys", () => {
    expect(targetOf(hostOf(fleet, "boot"), fleet)).toEqual({
      name: "boot",
      address: "203.0.113.1",
      port: 2022,
      user: "macula",
      hostKeys: [],
      hostKeyPolicy: "strict",
      connectTimeoutMs: 10_000,
      via: [],
    });
  });

  test("a circle of bastions is an error, not a loop", () => {
    const [a, b] = [
      { name: "a", bastion: "b" },
      { name: "b", bastion: "a" },
    ].map((hop) => ({ address: "x", port: 22, user: "u", ...hop }));
    if (a === undefined || b === undefined) throw new Error("unreachable");
    const host = { ...hostOf(fleet, "boot"), bastion: "a" };
    expect(() => targetOf(host, { ...fleet, bastions: { a, b } })).toThrow(FleetError);
  });
});

describe("resolved JSON", () => {
  test("has what Nix needs and nothing of the controller's machine", () => {
    const json = toResolvedJson(fleet);
    expect(JSON.parse(json)).toMatchObject({
      version: 1,
      fleet: { name: "test", realm: "org.example.test", release: "26.05" },
      cache: { url: "https://cache.example" },
      clusters: { home: { datastore: "sqlite", tokenRef: "env:TOKEN" } },
      hosts: [
        { name: "boot", k3s: { role: "server" } },
        {
          name: "node-1",
          k3s: { role: "agent", cluster: "home" },
          mesh: { bootstrapPeers: ["boot.example:443"] },
        },
        { name: "node-2" },
        { name: "node-3" },
      ],
    });
    for (const local of ["/keys/", "/fleet/", "cellar", "known_hosts"]) expect(json).not.toContain(local);
  });

  test("is the same text however the file is arranged", async () => {
    const [top = "", hosts = ""] = FLEET.split("hosts:\n");
    const loaded = await loadTree({
      "/fleet/inventory/a.yaml": `hosts:\n${hosts}`,
      "/fleet/inventory/b.yaml":
        HEADER +
        top
          .split("\n")
          .reverse()
          .filter((line) => !line.startsWith(" ") && !line.startsWith("bastions"))
          .join("\n"),
      "/fleet/inventory/c.yaml": top.slice(top.indexOf("bastions"), top.indexOf("sites")),
    });
    expect(loaded.inventory && toResolvedJson(loaded.inventory)).toBe(toResolvedJson(fleet));
  });

  test("keys are sorted at every level", () => {
    JSON.parse(toResolvedJson(fleet), (_, value: unknown) => {
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        expect(Object.keys(value)).toEqual(Object.keys(value).sort());
      }
      return value;
    });
  });
});

describe("views", () => {
  test("one row per host", () => {
    const rows = listRows(fleet.hosts);
    expect(rows).toHaveLength(5);
    expect(rows[1]).toEqual({
      host: "node-1",
      address: "10.0.0.1",
      via: "inner",
      role: "peer",
      site: "gent",
      arch: "x86_64",
      os: "nixos",
      state: "active",
      cluster: "home (agent)",
      groups: "rack",
      tags: "-",
    });
    expect(rows[0]?.address).toBe("203.0.113.1:2022");
    expect(endpoint({ address: "fe80::1", port: 2222 })).toBe("[fe80::1]:2222");
  });

  test("show tells the way, the keys and where it is written", () => {
    expect(new Map(showHost(hostOf(fleet, "node-3"), fleet))).toEqual(
      new Map([
        ["host", "node-3"],
        ["address", "fleet@10.0.0.3"],
        ["via", "ops@out.example > ops@in.lan:2222"],
        ["site", "gent"],
        ["groups", "rack"],
        ["roles", "peer"],
        ["system", "nixos x86_64-linux, stable"],
        ["state", "active"],
        ["hardware", "uefi"],
        ["disk", "facts, single-ext4, ESP 1GiB"],
        ["network", "DHCP"],
        ["k3s", "agent of home"],
        ["mesh", "development"],
        ["bootstrap peers", "boot.example:443"],
        ["checks", "units"],
        ["host keys", "1 pinned"],
        ["ssh", "timeout 20s, /keys/fleet"],
        ["note", "in the cellar"],
        ["declared", "/fleet/inventory.yaml:15"],
      ]),
    );
  });

  test("the graph draws sites, groups, clusters and ways in", () => {
    expect(drawTree(graph(fleet))).toBe(
      `test (org.example.test), 5 hosts
├─ sites
│  ├─ gent
│  │  └─ peer: node-1…3
│  └─ no site
│     ├─ bootstrap: boot
│     └─ peer: old
├─ groups
│  └─ rack: node-1…3
├─ clusters
│  └─ home (sqlite)
│     ├─ servers: boot
│     └─ agents: node-1…3
└─ reached through
   ├─ outer
   │  └─ inner
   │     └─ node-1…3
   └─ directly: boot, old`,
    );
  });
});
