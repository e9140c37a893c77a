/** The inventory as Nix reads it: resolved, secrets still references, the same bytes for the same inventory. Pure. */
import type { Host, Inventory } from "./model.ts";

/** Version of this form; the flake refuses one it does not know. */
const RESOLVED_VERSION = 1;

/** `{version, fleet, clusters, bastions, cache, hosts}`, hosts in inventory order (the first server
 * starts its cluster). Nothing of the controller's machine is in it. */
function toResolved(inventory: Inventory): Record<string, unknown> {
  const { fleet, clusters, bastions, sites, cache, hosts } = inventory;
  return {
    version: RESOLVED_VERSION,
    fleet: { name: fleet.name, realm: fleet.realm, release: fleet.release },
    clusters,
    bastions: Object.fromEntries(
      Object.entries(bastions).map(([name, { identityFile: _, ...bastion }]) => [name, bastion]),
    ),
    sites: Object.fromEntries(
      Object.entries(sites).map(([name, { timezone, location, seed }]) => [
        name,
        { timezone, location, seed },
      ]),
    ),
    cache: cache ?? null,
    hosts: hosts.filter(({ state }) => state !== "retired").map(forNix),
  };
}

/** `toResolved` as text: keys sorted at every level, two spaces, final newline. */
export function toResolvedJson(inventory: Inventory): string {
  return `${JSON.stringify(sorted(toResolved(inventory)), null, 2)}\n`;
}

/** Without what only concerns how and when we reach it: moving a key file must not change a system. */
function forNix(host: Host): Record<string, unknown> {
  const { ssh: _ssh, source: _source, rollout: _rollout, note: _note, build: _build, ...rest } = host;
  return rest;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}
