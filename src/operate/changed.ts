/** Which hosts a commit changes, from what they were and what they are to be. Pure. */
import type { HostName } from "../inventory/model.ts";

/** Hosts and the systems (`/nix/store/…`) they are to run. */
export type Systems = ReadonlyMap<HostName, string>;

export interface Changed {
  /** `before` is null for a host nobody knew. */
  readonly changed: readonly {
    readonly host: HostName;
    readonly toplevel: string;
    readonly before: string | null;
  }[];
  readonly unchanged: readonly HostName[];
  /** Every system that has to be built, once, with the hosts that get it. */
  readonly systems: readonly { readonly toplevel: string; readonly hosts: readonly HostName[] }[];
}

/** Without `before` everything has changed. */
export function changedHosts(now: Systems, before: Systems | null): Changed {
  const all = [...now].map(([host, toplevel]) => ({ host, toplevel, before: before?.get(host) ?? null }));
  const changed = all.filter((h) => h.before !== h.toplevel);
  const systems = Map.groupBy(changed, (h) => h.toplevel);
  return {
    changed,
    unchanged: all.filter((h) => h.before === h.toplevel).map((h) => h.host),
    systems: [...systems].map(([toplevel, hosts]) => ({ toplevel, hosts: hosts.map((h) => h.host) })),
  };
}
