import type { Host, Inventory } from "./model.ts";

/** The neighbour a host takes closures from: its site's seed, as long as that is an active NixOS host. Pure. */
export function seedsOf({ hosts, sites }: Pick<Inventory, "hosts" | "sites">): (host: Host) => Host | null {
  const byName = new Map(hosts.map((h) => [h.name, h]));
  return (host) => {
    const name = host.site === null ? undefined : sites[host.site]?.seed;
    const seed = name === undefined || name === host.name ? undefined : byName.get(name);
    return seed?.state === "active" && seed.os === "nixos" ? seed : null;
  };
}
