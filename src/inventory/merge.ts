/**
 * `defaults < site < groups in listed order < range < host`. Maps merge key by key, lists and values are
 * replaced by the nearer layer; only `tags` add up, so that a group can mark its hosts without erasing others' marks.
 */
import type { HostVars } from "./schema/host-vars.ts";

/** One layer with its synonyms unified: `role: x` becomes `roles: [x]`, a static address switches DHCP off. */
export function normalizeLayer(vars: HostVars): HostVars {
  const { role, network, ...rest } = vars;
  const roles = role === undefined || rest.roles !== undefined ? {} : { roles: [role] };
  const fixed =
    network?.static !== undefined && network.dhcp === undefined ? { ...network, dhcp: false } : network;
  return { ...rest, ...roles, ...(fixed === undefined ? {} : { network: fixed }) };
}

/** Both layers normalized. */
export function mergeVars(base: HostVars, over: HostVars): HostVars {
  const merged = mergeMaps(base, over);
  const tags = base.tags && over.tags ? { tags: [...new Set([...base.tags, ...over.tags])] } : {};
  if (over.network?.dhcp === true && merged.network?.static !== undefined) {
    const { static: _, ...network } = merged.network;
    return { ...merged, ...tags, network };
  }
  return { ...merged, ...tags };
}

function mergeMaps<T extends object>(base: T, over: T): T {
  const merged: Record<string, unknown> = Object.fromEntries(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const inherited = Object.hasOwn(merged, key) ? merged[key] : undefined;
    merged[key] = isMap(inherited) && isMap(value) ? mergeMaps(inherited, value) : value;
  }
  return merged as T;
}

const isMap = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
