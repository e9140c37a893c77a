/** What `flake/lib/inventory.nix` makes of an inventory, and what it refuses. */
import { expect, it } from "vitest";
import { describeNix, evaluate, FLAKE, fixture, HERE, refusal, temporaryFile } from "./nix.ts";

const lib = `import ${FLAKE}/lib/inventory.nix { lib = import ${HERE}lib; }`;
const ask = (body: string): unknown => evaluate(["--expr", `with (${lib}); ${body}`]);
const fleet = (hosts: object, more: object = {}): string =>
  temporaryFile("fleet.json", JSON.stringify({ fleet: { name: "f", realm: "a.b" }, hosts, ...more }));
const peersOf = (path: string, host: string): unknown =>
  ask(`let f = load ${path}; in bootstrapPeers f f.hosts.${host}`);
const clusterOf = (path: string, host: string): unknown =>
  ask(`let f = load ${path}; in clusterOf f f.hosts.${host}`);

describeNix("the inventory, read by Nix", () => {
  it("is a file, or a folder with fleet.json", () => {
    expect(ask(`(load ${fixture("homelab")}).order`)).toEqual(["node-01", "node-02", "node-03"]);
    expect(ask(`(load ${FLAKE}/inventory).order`)).toEqual(["node-01", "node-02", "node-03"]);
  });

  it("is the first of several places that has one", () => {
    const home = fixture("homelab");
    expect(ask(`(load [ ${FLAKE} ${home} ]).fleet.name`)).toBe("homelab");
    expect(ask(`(load [ { outPath = "/nowhere"; } ${home} ]).order`)).toContain("node-01");
    expect(refusal(() => ask(`(load [ ${HERE}lib /nowhere ]).order`))).toContain(
      "macula-fleet inventory resolve > inventory/fleet.json",
    );
  });

  it("keeps the order of a list and takes hosts by name as well", () => {
    expect(ask(`(load ${fleet([{ name: "z" }, { name: "a" }])}).order`)).toEqual(["z", "a"]);
    expect(ask(`(load ${fleet({ z: {}, a: {} })}).order`)).toEqual(["a", "z"]);
  });

  it("derives bootstrap peers: public addresses, own site's addresses, never oneself", () => {
    const commons = fixture("commons");
    const both = ["https://boot1.commons.example:443", "https://boot2.commons.example:443"];
    expect(peersOf(commons, "gent-gw-01")).toEqual(both);
    expect(peersOf(commons, "ams-boot-01")).toEqual([both[1]]);
    expect(peersOf(fixture("homelab"), "node-02")).toEqual(["https://192.168.1.11:443"]);
    const stated = fleet({
      a: { mesh: { bootstrapPeers: ["https://x:1", "y.example"] } },
      b: { roles: ["bootstrap"] },
    });
    expect(peersOf(stated, "a")).toEqual(["https://x:1", "https://y.example:443"]);
    const elsewhere = fleet({
      a: { site: "s" },
      b: { site: "t", roles: ["bootstrap"], address: "10.0.0.1" },
    });
    expect(peersOf(elsewhere, "a")).toEqual([]);
    const retired = fleet({ a: {}, b: { roles: ["bootstrap"], address: "10.0.0.1", state: "retired" } });
    expect(peersOf(retired, "a")).toEqual([]);
  });

  it.each([
    ["boot.example", "https://boot.example:443"],
    ["boot.example:4433", "https://boot.example:4433"],
    ["2001:db8::7", "https://[2001:db8::7]:443"],
    ["quic://boot.example:1", "quic://boot.example:1"],
  ])("makes a peer of %s", (address, url) => expect(ask(`peerUrl "${address}"`)).toBe(url));

  it("finds who starts a cluster: the one that says so, else the first server", () => {
    expect(clusterOf(fixture("homelab"), "node-02")).toMatchObject({
      firstServer: "node-01",
      isFirst: false,
      serverAddr: "https://192.168.1.11:6443",
    });
    const clusters = { c: { datastore: "etcd", tokenRef: "env:T" } };
    const server = { role: "server", cluster: "c" };
    const hosts = [
      { name: "a", address: "fd00::1", k3s: server },
      { name: "b", address: "fd00::2", k3s: { ...server, clusterInit: true } },
    ];
    expect(clusterOf(fleet(hosts, { clusters }), "a")).toMatchObject({
      firstServer: "b",
      initialises: false,
      serverAddr: "https://[fd00::2]:6443",
    });
    expect(clusterOf(fleet(hosts, { clusters }), "b")).toMatchObject({ initialises: true, serverAddr: null });
  });

  it("keeps each host of a per-host cluster to itself, and joins an outside cluster", () => {
    expect(clusterOf(fixture("retail"), "store-121")).toMatchObject({
      firstServer: "store-121",
      members: [{ name: "store-121" }],
      serverAddr: null,
    });
    const clusters = { c: { external: true, serverAddr: "https://k3s.example:6443" } };
    const outside = fleet({ a: { k3s: { role: "agent", cluster: "c" } } }, { clusters });
    expect(clusterOf(outside, "a")).toMatchObject({
      serverAddr: "https://k3s.example:6443",
      firstServer: null,
    });
    expect(clusterOf(fleet({ a: {} }), "a")).toBeNull();
  });

  it.each<[string, object, object, string]>([
    ["another version", { version: 2 }, {}, "format 2"],
    ["a bad name", {}, { "Node 1": {} }, "not a host name"],
    ["rpi on x86", {}, { a: { hardware: { boot: "rpi" } } }, "needs arch aarch64-linux"],
    [
      "BIOS on arm",
      {},
      { a: { hardware: { boot: "bios" }, arch: "aarch64-linux" } },
      "needs arch x86_64-linux",
    ],
    ["DHCP and static", {}, { a: { network: { dhcp: true, static: { mac: "x" } } } }, "choose one"],
  ])("refuses %s", (_, more, hosts, message) => {
    const path = fleet(hosts, more);
    expect(refusal(() => ask(`builtins.deepSeq (load ${path}) 1`))).toContain(message);
  });

  it.each<[string, object, object, string]>([
    ["an unknown cluster", { role: "agent", cluster: "c" }, {}, 'no cluster "c"'],
    ["k3s without a cluster", { role: "agent" }, {}, "needs a cluster"],
    ["agents without a server", { role: "agent", cluster: "c" }, { c: {} }, "no server and no serverAddr"],
  ])("refuses %s", (_, k3s, clusters, message) => {
    const path = fleet({ a: { k3s } }, { clusters });
    expect(refusal(() => clusterOf(path, "a"))).toContain(message);
  });

  it("refuses two starters of a cluster, and two servers on sqlite", () => {
    const k3s = { role: "server", cluster: "c", clusterInit: true };
    const two = (clusters: object, o: object) =>
      fleet({ a: { k3s: { ...k3s, ...o } }, b: { k3s: { ...k3s, ...o } } }, { clusters });
    expect(refusal(() => clusterOf(two({ c: { datastore: "etcd" } }, {}), "a"))).toContain(
      "clusterInit on a, b",
    );
    expect(refusal(() => clusterOf(two({ c: {} }, { clusterInit: false }), "a"))).toContain(
      "sqlite takes one",
    );
  });
});
