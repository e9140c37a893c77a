import { expect, it } from "vitest";
import { aHost } from "../../test/support/fleet.ts";
import type { Announcement } from "./browse.ts";
import { machinesOf } from "./machines.ts";

const announced = (more: Partial<Announcement>): Announcement => ({
  type: "macula",
  host: "node-01.local",
  name: "MaculaOS on node-01",
  port: 22,
  addresses: ["10.0.0.3"],
  txt: { v: "2", os: "nixos", role: "peer" },
  via: "eth0",
  ...more,
});
const host = (name: string, address: string, did?: string) => ({
  ...aHost(name),
  address,
  identity: { hostKeys: [], ...(did === undefined ? {} : { did }) },
});
const one = (a: Partial<Announcement>[], hosts: Parameters<typeof machinesOf>[1] = []) =>
  machinesOf(a.map(announced), hosts)[0];

it("joins what one machine announces, on every interface", () => {
  const found = machinesOf(
    [
      announced({}),
      announced({ type: "ssh", port: 2222, txt: {}, addresses: ["10.0.0.3", "fe80::1"] }),
      announced({ via: "wlan0" }),
    ],
    [],
  );
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({
    name: "node-01",
    port: 2222,
    addresses: ["10.0.0.3", "fe80::1"],
    via: ["eth0", "wlan0"],
    state: "nixos",
    role: "peer",
    inventory: null,
    conflicts: [],
  });
});

it.each([
  [{ txt: { version: "1.0.0", role: "edge" }, port: 6443 }, "k3os"],
  [{ host: "nixos-installer.local", type: "ssh", txt: {} }, "installer"],
  [{ txt: { os: "installer" } }, "installer"],
  [{ txt: { v: "2", os: "nixos", role: "installer" } }, "installer"],
  [{ type: "ssh", txt: {} }, "unknown"],
] as const)("%o is %s", (a, state) => expect(one([a])?.state).toBe(state));

it("finds it in the inventory, and says what does not fit", () => {
  expect(one([{}], [host("node-01", "10.0.0.3")])).toMatchObject({ inventory: "node-01", conflicts: [] });
  expect(one([{}], [host("node-01", "10.0.0.9")])?.conflicts).toEqual([
    "node-01 is at 10.0.0.9 in the inventory",
  ]);
  expect(one([{}], [host("other", "10.0.0.3")])?.conflicts).toEqual(["10.0.0.3 is other in the inventory"]);
  expect(one([{}], [{ ...host("node-01", "10.0.0.3"), state: "retired" }])?.conflicts).toEqual([
    "node-01 is retired",
  ]);
  // An installer is nobody yet: it is at the address, under a name of its own.
  expect(
    one([{ host: "nixos-installer.local", type: "ssh", txt: {} }], [host("node-01", "10.0.0.3")]),
  ).toMatchObject({ inventory: "node-01", conflicts: [] });
});

it("alarms on one identity at two machines, or at another one", () => {
  const txt = { v: "2", id: "did:macula:x" };
  const two = machinesOf(
    [announced({ txt }), announced({ txt, host: "node-02.local", addresses: ["10.0.0.4"] })],
    [],
  );
  expect(two.map((m) => m.conflicts)).toEqual([
    ["has the same identity as node-02"],
    ["has the same identity as node-01"],
  ]);
  expect(one([{ txt }], [host("node-07", "10.0.0.7", "did:macula:x")])?.conflicts).toEqual([
    "its identity is that of node-07",
  ]);
});

it("shows strangers' words cleaned and cut", () => {
  const m = one([
    {
      host: "a\u001b[31mb.local",
      addresses: ["10.0.0.3", "$(reboot)"],
      txt: { v: "2", role: `x\u0007${"y".repeat(500)}` },
    },
  ]);
  expect(m?.name).toBe("a[31mb");
  expect(m?.role?.length).toBeLessThanOrEqual(200);
  expect(m?.role).not.toContain("\u0007");
  expect(m?.addresses).toEqual(["10.0.0.3"]);
});
