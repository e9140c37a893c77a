/** Where a machine may be: where its network cards were lately seen, and who answers to its names. Hints, nothing more. */
import { readFile } from "node:fs/promises";
import { execa } from "execa";
import { addressesOf } from "../discover/names.ts";
import type { AddressHints } from "./whereabouts.ts";

const LISTEN_MS = 2_000;
/** An installer whose name is taken counts on; so many may be under way on one network. */
const INSTALLERS = 9;

/** Cards first: a name is anybody's. */
export const addressHints: AddressHints = async (who, o) => {
  const [seen, named] = await Promise.all([neighbourHints(who, o), mdnsHints(who, o)]);
  return [...new Set([...seen, ...named])];
};

/** The names of nixos-anywhere's installer and of the new system, by mDNS. */
const mdnsHints: AddressHints = ({ name }, { signal }) => {
  const installers = Array.from({ length: INSTALLERS }, (_, i) => `nixos-installer${i === 0 ? "" : i + 1}`);
  const names = [name, ...installers].map((n) => `${n}.local`);
  return addressesOf({ names, timeoutMs: LISTEN_MS, signal });
};

const neighbourHints: AddressHints = async ({ macs }, { signal }) => {
  const wanted = new Set(macs.map((m) => m.toLowerCase()));
  if (wanted.size === 0) return [];
  const arp = await readFile("/proc/net/arp", "utf8").catch(() => "");
  const ip = await execa("ip", ["-6", "neighbour", "show"], {
    reject: false,
    cancelSignal: signal,
    stdin: "ignore",
  });
  signal.throwIfAborted();
  return [...new Set([...addressesInArp(arp, wanted), ...addressesInNeighbours(ip.stdout ?? "", wanted)])];
};

/** `/proc/net/arp`: address, type, flags (0x0: never answered), MAC, mask, device. */
export function addressesInArp(text: string, macs: ReadonlySet<string>): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const [address = "", , flags = "", mac = ""] = line.trim().split(/\s+/);
    return macs.has(mac.toLowerCase()) && flags !== "0x0" ? [address] : [];
  });
}

/** `ip -6 neighbour`: `fe80::1 dev eth0 lladdr 52:54:00:… REACHABLE`; link-local ones need their device. */
export function addressesInNeighbours(text: string, macs: ReadonlySet<string>): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(\S+) dev (\S+) lladdr (\S+)/.exec(line);
    if (!match || !macs.has((match[3] ?? "").toLowerCase())) return [];
    const [, address = "", device = ""] = match;
    return [address.startsWith("fe80:") ? `${address}%${device}` : address];
  });
}
