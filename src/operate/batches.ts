/** In which order, and how many at a time, hosts may be down on purpose outside of a rollout. Pure. */
import type { Host, Inventory, Role } from "../inventory/model.ts";
import { allowanceOf } from "../plan/quantity.ts";

export interface Batch {
  readonly role: Role;
  readonly hosts: readonly Host[];
  /** At the same time. */
  readonly parallel: number;
  /** Of them in one site. */
  readonly perSite: number;
}

/** Roles in the policy's order; bootstrap and gateway hosts one at a time whatever the policy allows. */
export function batches(hosts: readonly Host[], inventory: Inventory): readonly Batch[] {
  const { policy } = inventory;
  return policy.order.flatMap((role): Batch[] => {
    const mine = hosts.filter((h) => h.role === role);
    if (mine.length === 0) return [];
    if (role !== "peer") return [{ role, hosts: mine, parallel: 1, perSite: 1 }];
    const rules = policy.roles[role];
    const fleet = [policy.maxParallel, policy.maxUnavailable.fleet].map((q) => allowanceOf(q, hosts.length));
    const own = [rules?.maxParallel, rules?.maxUnavailable].flatMap((q) =>
      q === undefined ? [] : [allowanceOf(q, mine.length)],
    );
    const site = policy.maxUnavailable.site;
    const perSite = [
      policy.perSite.activating,
      ...(site === undefined ? [] : [allowanceOf(site, hosts.length)]),
    ];
    return [
      {
        role,
        hosts: mine,
        parallel: Math.max(1, Math.min(...fleet, ...own, policy.maxParallelCap ?? mine.length)),
        perSite: Math.max(1, Math.min(...perSite)),
      },
    ];
  });
}
