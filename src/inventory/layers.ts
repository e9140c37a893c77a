/** Every host of the inventory with the layers that describe it, farthest first; nothing merged yet. */
import { error, type Finding, type Path, warning } from "./findings.ts";
import { groupTree } from "./groups.ts";
import { normalizeLayer } from "./merge.ts";
import { expandName, isHostName, MAX_HOSTS, type RangeMember } from "./ranges.ts";
import type { HostEntry, HostVars } from "./schema/host-vars.ts";
import type { InventoryDocument } from "./schema.ts";
import { suggestion } from "./similar.ts";

interface Layer {
  readonly path: Path;
  readonly vars: HostVars;
}

export interface Layered {
  readonly name: string;
  /** Where the host is declared: its own key, else its range's. */
  readonly path: Path;
  readonly range?: { readonly key: string; readonly size: number; readonly member: RangeMember };
  readonly site: string | null;
  readonly groups: readonly string[];
  /** Shared by all hosts with the same site and groups. */
  readonly shared: readonly Layer[];
  readonly own: readonly Layer[];
}

interface Declared {
  range?: { key: string; size: number; member: RangeMember; entry: HostEntry };
  exact?: { key: string; entry: HostEntry };
}

export function layerHosts(document: InventoryDocument): { hosts: Layered[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const declared = declare(document, findings);
  const tree = groupTree(document);
  findings.push(...tree.findings);
  const sites = new Map(Object.entries(document.sites ?? {}));
  const groups = new Map(Object.entries(document.groups ?? {}));
  const checkedReferences = new Set<string>();
  const sharedLayers = new Map<string, { groups: readonly string[]; shared: readonly Layer[] }>();

  const share = (site: string | null, listed: readonly string[]) => {
    const id = JSON.stringify([site, listed]);
    const known = sharedLayers.get(id);
    if (known) return known;
    const chain = tree.chain(listed);
    const layer = (path: Path, vars: HostVars | undefined): Layer[] =>
      vars === undefined ? [] : [{ path, vars: normalizeLayer(vars) }];
    const shared = [
      ...layer(["defaults"], document.defaults),
      ...(site === null ? [] : layer(["sites", site, "vars"], sites.get(site)?.vars)),
      ...chain.flatMap((name) => layer(["groups", name, "vars"], groups.get(name)?.vars)),
    ];
    const made = { groups: chain, shared };
    sharedLayers.set(id, made);
    return made;
  };

  const hosts = [...declared].map(([name, { range, exact }]): Layered => {
    const entries = [range, exact].filter((entry) => entry !== undefined);
    for (const { key, entry } of entries) {
      if (checkedReferences.has(key)) continue;
      checkedReferences.add(key);
      if (entry.site !== undefined && !sites.has(entry.site)) {
        const fix = suggestion(entry.site, [...sites.keys()], "sites");
        findings.push(error("E104", ["hosts", key, "site"], `no site "${entry.site}"`, { fix }));
      }
      (entry.groups ?? []).forEach((group, i) => {
        if (groups.has(group)) return;
        const fix = suggestion(group, [...groups.keys()], "groups");
        findings.push(error("E104", ["hosts", key, "groups", i], `no group "${group}"`, { fix }));
      });
    }
    const site = exact?.entry.site ?? range?.entry.site ?? null;
    const listed = exact?.entry.groups ?? range?.entry.groups ?? [];
    const { groups: chain, shared } = share(site !== null && sites.has(site) ? site : null, listed);
    return {
      name,
      path: ["hosts", exact?.key ?? range?.key ?? name],
      ...(range === undefined ? {} : { range: { key: range.key, size: range.size, member: range.member } }),
      site: site !== null && sites.has(site) ? site : null,
      groups: chain,
      shared,
      own: entries.map(({ key, entry }) => {
        const { site: _site, groups: _groups, ...vars } = entry;
        return { path: ["hosts", key], vars: normalizeLayer(vars) };
      }),
    };
  });
  return { hosts, findings };
}

function declare(document: InventoryDocument, findings: Finding[]): Map<string, Declared> {
  const declared = new Map<string, Declared>();
  const overlaps = new Map<string, { path: Path; a: string; b: string; first: string; last: string }>();
  for (const [key, value] of Object.entries(document.hosts)) {
    const entry = value ?? {};
    const path = ["hosts", key];
    const expansion = expandName(key);
    if (expansion.kind === "invalid") {
      findings.push(
        error("E106", path, `"${key}" ${expansion.reason}`, {
          point: "key",
          fix: "Ranges count up: name-[001:120].",
        }),
      );
      continue;
    }
    const names = expansion.kind === "range" ? expansion.members.map(({ name }) => name) : [key];
    const bad = names.find((name) => !isHostName(name));
    if (bad !== undefined) {
      const message = `"${bad}" is not a host name: up to 63 lower-case letters, digits and -`;
      findings.push(error("E112", path, message, { point: "key" }));
      continue;
    }
    if (expansion.kind === "single") {
      declared.set(key, { ...declared.get(key), exact: { key, entry } });
      continue;
    }
    for (const member of expansion.members) {
      const other = declared.get(member.name);
      if (other?.range) {
        const id = JSON.stringify([other.range.key, key]);
        const seen = overlaps.get(id) ?? { path, a: other.range.key, b: key, first: member.name, last: "" };
        overlaps.set(id, { ...seen, last: member.name });
      } else {
        const range = { key, size: expansion.members.length, member, entry };
        declared.set(member.name, { ...other, range });
      }
    }
  }
  for (const { path, a, b, first, last } of overlaps.values()) {
    const names = first === last ? first : `${first} … ${last}`;
    const fix = "Ranges may not overlap; a single name may override a range.";
    findings.push(error("E102", path, `"${a}" and "${b}" both expand to ${names}`, { point: "key", fix }));
  }
  const total = declared.size;
  if (total > MAX_HOSTS) {
    findings.push(
      error("E113", ["hosts"], `${total} hosts; one inventory holds up to ${MAX_HOSTS}`, {
        fix: "Split the fleet into several inventories.",
      }),
    );
  } else if (total > 1000) {
    findings.push(
      warning("W101", ["hosts"], `${total} hosts in one inventory; consider one per region above 1000`),
    );
  }
  return declared;
}
