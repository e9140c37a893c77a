import { expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { addressesInArp, addressesInNeighbours } from "../../src/install/hints.ts";
import { findInstaller, type Search } from "../../src/install/whereabouts.ts";
import type { Host } from "../../src/inventory/model.ts";
import { aHost } from "../support/fleet.ts";
import { INSTALLER, someFacts } from "./support.ts";

const MAC = "52:54:00:00:00:01";
const macs = new Set([MAC]);

it("reads neighbour tables", () => {
  const arp = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.57     0x1         0x2         52:54:00:00:00:01     *        eth0
192.168.1.58     0x1         0x0         52:54:00:00:00:01     *        eth0
192.168.1.59     0x1         0x2         52:54:00:00:00:99     *        eth0`;
  expect(addressesInArp(arp, macs)).toEqual(["192.168.1.57"]);
  const ip = `fe80::1 dev eth0 lladdr 52:54:00:00:00:01 REACHABLE\n2001:db8::7 dev eth0 lladdr 52:54:00:00:00:01 STALE\nfe80::2 dev eth0 FAILED`;
  expect(addressesInNeighbours(ip, macs)).toEqual(["fe80::1%eth0", "2001:db8::7"]);
});

/** A network where at each place somebody with some key runs something. */
function search(at: Record<string, { key: string; installer?: boolean }>, more: Partial<Search> = {}) {
  const tried: string[] = [];
  const s: Search = {
    host: { ...aHost("node-01"), address: "10.0.0.3", port: 2222, user: "deploy" },
    hostKeys: ["ssh-ed25519 MINE"],
    macs: [MAC],
    hints: async () => ["10.0.0.9", "10.0.0.10"],
    signal: new AbortController().signal,
    facts: async (host: Host) => {
      const place = `${host.address}:${host.port}`;
      tried.push(`${host.user}@${place}`);
      const there = at[place];
      if (!there) throw new FleetError("unreachable", place);
      if (!host.identity.hostKeys.includes(there.key)) throw new FleetError("host-key-changed", place);
      return someFacts(there.installer === false ? {} : { os: INSTALLER });
    },
    ...more,
  };
  return { s, tried };
}
const mine = { key: "ssh-ed25519 MINE" };

it("looks at the old place, the installer's port, then where its card was seen", async () => {
  const { s, tried } = search({ "10.0.0.10:22": mine });
  expect(await findInstaller(s)).toEqual({ address: "10.0.0.10", port: 22 });
  expect(tried).toEqual(["root@10.0.0.3:2222", "root@10.0.0.3:22", "root@10.0.0.9:22", "root@10.0.0.10:22"]);
});

it("believes nobody without its key, nor a machine that runs no installer", async () => {
  const { s } = search({
    "10.0.0.9:22": { key: "ssh-ed25519 OTHER" },
    "10.0.0.10:22": { ...mine, installer: false },
  });
  expect(await findInstaller(s)).toBeNull();
});

it("follows no hint where no key could prove it, nor behind a bastion", async () => {
  const unproven = search({ "10.0.0.10:22": mine }, { hostKeys: [] });
  expect(await findInstaller(unproven.s)).toBeNull();
  const behind = search({ "10.0.0.10:22": mine });
  const s = { ...behind.s, host: { ...behind.s.host, bastion: "jump" } };
  expect(await findInstaller(s)).toBeNull();
  expect(behind.tried).toEqual(["root@10.0.0.3:2222", "root@10.0.0.3:22"]);
});

it("asks for hints only when the machine is not where the inventory says", async () => {
  const asked: unknown[] = [];
  const hints: Search["hints"] = async (who) => {
    asked.push(who);
    return ["10.0.0.9"];
  };
  const there = search({ "10.0.0.3:22": mine }, { hints });
  expect(await findInstaller(there.s)).toEqual({ address: "10.0.0.3", port: 22 });
  expect(asked).toEqual([]);
  const moved = search({ "10.0.0.9:22": mine }, { hints });
  expect(await findInstaller(moved.s)).toEqual({ address: "10.0.0.9", port: 22 });
  expect(asked).toEqual([{ name: "node-01", macs: [MAC] }]);
});
