import { BlockList, isIP } from "node:net";
import type { networkInterfaces } from "node:os";

/** Private, link-local and loopback addresses (RFC 1918, 3927, 4193, 4291). */
const NEAR = [
  ["10.0.0.0", 8, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["fc00::", 7, "ipv6"],
  ["fe80::", 10, "ipv6"],
  ["::1", 128, "ipv6"],
] as const;

/**
 * Is somebody on this machine's own network? IPv6 neighbours have public addresses too: those of the machine's own
 * prefixes, /64 or narrower, count. Asked per request, because addresses come and go.
 */
export function isNear(peer: string, cards: ReturnType<typeof networkInterfaces>): boolean {
  const address = peer.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  const family = isIP(address) === 6 ? "ipv6" : isIP(address) === 4 ? "ipv4" : null;
  if (family === null) return false;
  const list = new BlockList();
  for (const [net, prefix, kind] of NEAR) list.addSubnet(net, prefix, kind);
  for (const card of Object.values(cards).flatMap((all) => all ?? [])) {
    const prefix = Number(card.cidr?.split("/")[1]);
    if (card.family === "IPv6" && prefix >= 64) list.addSubnet(card.address, prefix, "ipv6");
  }
  return list.check(address, family);
}
