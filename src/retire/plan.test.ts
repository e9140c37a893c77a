import { expect, it } from "vitest";
import { aHost } from "../../test/support/fleet.ts";
import type { Cluster, Host } from "../inventory/model.ts";
import { planRetire } from "./plan.ts";

const cluster = (datastore: Cluster["datastore"]): Cluster => ({
  name: "home",
  datastore,
  flannelBackend: "vxlan",
  external: false,
  perHost: false,
});
const plan = (
  name: string,
  hosts: readonly Host[],
  datastore: Cluster["datastore"] = "sqlite",
  options = { backup: false, wipe: false, gone: false },
) => {
  const host = hosts.find((h) => h.name === name);
  if (!host) throw new Error(name);
  return planRetire(host, { hosts, clusters: { home: cluster(datastore) } }, options);
};
const bootstrap = (name: string): Host => ({ ...aHost(name), role: "bootstrap", roles: ["bootstrap"] });
const k3s = (name: string, role: "server" | "agent"): Host => ({
  ...aHost(name),
  k3s: { ...aHost(name).k3s, cluster: "home", role },
});

it("lets a peer go, with what is left to do", () => {
  const p = plan("a", [aHost("a"), aHost("b")]);
  expect(p.refusals).toEqual([]);
  expect(p.affected).toEqual([]);
  expect(p.steps.map((s) => s.step)).toEqual(["inventory"]);
});

it("refuses the last bootstrap of living hosts; of two, the others change", () => {
  expect(plan("a", [bootstrap("a"), aHost("b")]).refusals[0]?.message).toContain("last bootstrap: 1 hosts");
  expect(
    plan("a", [bootstrap("a"), { ...bootstrap("b"), state: "retired" }, aHost("c")]).refusals,
  ).toHaveLength(1);
  expect(plan("a", [bootstrap("a"), bootstrap("b"), aHost("c")])).toMatchObject({
    refusals: [],
    affected: ["b", "c"],
  });
  expect(plan("a", [bootstrap("a")]).refusals).toEqual([]);
});

it("refuses the last server, and one of two with etcd", () => {
  expect(plan("s", [k3s("s", "server"), k3s("a", "agent")]).refusals[0]?.message).toContain(
    "last server of cluster home",
  );
  const two = [k3s("s", "server"), k3s("t", "server")];
  expect(plan("s", two, "etcd").refusals[0]?.message).toContain("one of two etcd servers");
  expect(plan("s", two, "external").refusals).toEqual([]);
  expect(plan("s", [...two, k3s("u", "server")], "etcd").refusals).toEqual([]);
});

it("does everything to a member that is there, through a server, and only what can be to one that is gone", () => {
  const hosts = [k3s("s", "server"), k3s("a", "agent")];
  const p = plan("a", hosts, "sqlite", { backup: true, wipe: true, gone: false });
  expect(p.cluster).toEqual({ name: "home", node: "a", server: "s" });
  expect(p.steps.map((s) => s.step)).toEqual(["drain", "stop", "backup", "forget", "inventory", "wipe"]);
  expect(p.afterwards.join()).not.toContain("switch a off");
  const gone = plan("a", hosts, "sqlite", { backup: false, wipe: false, gone: true });
  expect(gone.steps.map((s) => s.step)).toEqual(["forget", "inventory"]);
  expect(plan("s", [k3s("s", "server")]).steps.map((s) => s.step)).toEqual(["stop", "inventory"]);
});

it("erases the system's disk only, and says which ones it leaves", () => {
  const base = k3s("a", "agent");
  const device = "/dev/disk/by-id/ata-CT500_S2";
  const data = { pv: { device, mountpoint: "/srv", fsType: "ext4" as const, erase: true } };
  const hosts = [k3s("s", "server"), { ...base, disk: { ...base.disk, data } }];
  const afterwards = (wipe: boolean) =>
    plan("a", hosts, "sqlite", { backup: false, wipe, gone: false }).afterwards;
  expect(afterwards(true).filter((a) => a.includes(device))).toHaveLength(1);
  expect(afterwards(false).filter((a) => a.includes(device))).toEqual([]);
});
