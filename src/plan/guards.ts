/** Quorum guards: who must stay up while one of a critical few is touched. Pure. */
import { type Host, type Inventory, ROLES } from "../inventory/model.ts";
import type { QuorumGuard } from "./model.ts";
import type { Policy, Quantity } from "./policy.ts";
import { floorOf } from "./quantity.ts";

/**
 * `required` counts the others: with everything healthy one at a time is always possible (a group of one needs
 * nobody else), and one host already down is enough to refuse where the minimum would be missed.
 */
export function buildGuards(inventory: Inventory, policy: Policy): QuorumGuard[] {
  const active = inventory.hosts.filter((h) => h.state === "active" && h.os === "nixos");
  return ROLES.flatMap((role) => {
    const holders = active.filter((h) => h.roles.includes(role));
    const rules = policy.roles[role];
    const guard = (site: string | null, minimum: Quantity | undefined, members: readonly Host[]) => {
      if (!minimum) return [];
      const required = Math.min(floorOf(minimum, members.length), members.length - 1);
      return required > 0 ? [{ role, site, members: members.map((h) => h.name), required }] : [];
    };
    const sites = [...Map.groupBy(holders, (h) => h.site)];
    return [
      ...guard(null, rules?.minAvailable, holders),
      ...sites.flatMap(([site, hosts]) =>
        site === null ? [] : guard(site, rules?.minAvailablePerSite, hosts),
      ),
    ];
  });
}
