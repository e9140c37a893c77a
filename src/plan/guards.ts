/** Quorum guards: who must stay up while one of a critical few is touched. Pure. */
import { type Inventory, ROLES } from "../inventory/model.ts";
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
    const guard = (site: string | null, minimum: Quantity, members: readonly string[]): QuorumGuard => ({
      role,
      site,
      members,
      required: Math.min(floorOf(minimum, members.length), members.length - 1),
    });
    const fleet =
      rules?.minAvailable && holders.length > 0
        ? [
            guard(
              null,
              rules.minAvailable,
              holders.map((h) => h.name),
            ),
          ]
        : [];
    const perSite = rules?.minAvailablePerSite;
    const sites = perSite
      ? [...Map.groupBy(holders, (h) => h.site)].flatMap(([site, hosts]) =>
          site === null
            ? []
            : [
                guard(
                  site,
                  perSite,
                  hosts.map((h) => h.name),
                ),
              ],
        )
      : [];
    return [...fleet, ...sites].filter((g) => g.required > 0);
  });
}
