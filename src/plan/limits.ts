/** Every budget of a rollout as a number, with the sum it came from. Pure. */
import type { Inventory, Role } from "../inventory/model.ts";
import type { Limits, PlannedHost, Resolution } from "./model.ts";
import type { Policy, Quantity } from "./policy.ts";
import { allowanceOf, describe } from "./quantity.ts";

export function resolveLimits(
  policy: Policy,
  total: number,
  hosts: readonly PlannedHost[],
  sites: Inventory["sites"],
): { readonly limits: Limits; readonly resolutions: readonly Resolution[] } {
  const resolutions: Resolution[] = [];
  const resolve = (name: string, q: Quantity, base: number): number => {
    const value = allowanceOf(q, base);
    resolutions.push({ name, asked: describe(q), base, value });
    return value;
  };
  const inRole = (role: Role) => hosts.filter((h) => h.role === role).length;
  const perRole = (pick: (role: Role) => Quantity | undefined, name: string) =>
    Object.fromEntries(
      (["peer", "gateway", "bootstrap"] as const).flatMap((role) => {
        const q = pick(role);
        return q && inRole(role) > 0 ? [[role, resolve(`${role} ${name}`, q, inRole(role))]] : [];
      }),
    ) as Partial<Record<Role, number>>;

  const parallel = resolve("max-parallel", policy.maxParallel, total);
  const ofSite = policy.maxUnavailable.site;
  const limits: Limits = {
    maxParallel: policy.maxParallelCap === undefined ? parallel : Math.min(parallel, policy.maxParallelCap),
    maxUnavailable: resolve("max-unavailable", policy.maxUnavailable.fleet, total),
    maxUnavailablePerSite: Object.fromEntries(
      [...Map.groupBy(hosts, (h) => h.site)].flatMap(([site, members]) =>
        ofSite && site !== null
          ? [[site, resolve(`max-unavailable of site ${site}`, ofSite, members.length)]]
          : [],
      ),
    ),
    maxUnavailablePerCluster: Object.fromEntries(
      Object.entries(policy.maxUnavailable.clusters).map(([name, q]) => [
        name,
        resolve(`max-unavailable of cluster ${name}`, q, hosts.filter((h) => h.cluster === name).length),
      ]),
    ),
    maxUnavailablePerRole: perRole((role) => policy.roles[role]?.maxUnavailable, "max-unavailable"),
    maxParallelPerRole: perRole((role) => policy.roles[role]?.maxParallel, "max-parallel"),
    maxFailuresPerSite: policy.maxFailures.perSite ?? null,
    activatingPerSite: policy.perSite.activating,
    copyingPerSite: policy.perSite.copying,
    copyingBySite: Object.fromEntries(
      [...new Set(hosts.map((h) => h.site))].flatMap((name) => {
        const carries = name === null ? undefined : sites[name]?.uplink.concurrentCopies;
        return name === null || carries === undefined ? [] : [[name, carries]];
      }),
    ),
    copying: policy.copyParallel,
  };
  return { limits, resolutions };
}
