/** More hosts than a person would look at one by one: shares of the fleet then mean several at once. [pure] */
import type { Inventory } from "../inventory/model.ts";
import { modelHost } from "./fleet.ts";
import type { Random } from "./random.ts";

/** So many more peers at the fleet's sites, some of them behind its gateways. */
export function withCrowd(inventory: Inventory, peers: number, luck: Random): Inventory {
  const sites = Object.keys(inventory.sites);
  const more = Array.from({ length: peers }, (_, i) => {
    const site = luck.pick(sites);
    const gateway = inventory.hosts.find((h) => h.role === "gateway" && h.site === site);
    const behind = gateway && luck.chance(0.5) ? gateway.name : null;
    return modelHost(`peer-${101 + i}`, "peer", site, behind);
  });
  return { ...inventory, hosts: [...inventory.hosts, ...more] };
}
