/** Which groups a host is in: the listed ones and every group that has them as children, ancestors first. */
import { error, type Finding } from "./findings.ts";
import type { InventoryDocument } from "./schema.ts";
import { suggestion } from "./similar.ts";

interface GroupTree {
  /** All groups that apply to a host with these `groups`, in merge order, each once. */
  readonly chain: (listed: readonly string[]) => readonly string[];
  readonly findings: readonly Finding[];
}

export function groupTree(document: InventoryDocument): GroupTree {
  const groups = new Map(Object.entries(document.groups ?? {}));
  const names = [...groups.keys()];
  const parents = new Map<string, string[]>(names.map((name) => [name, []]));
  const findings: Finding[] = [];
  for (const [name, group] of groups) {
    (group?.children ?? []).forEach((child, i) => {
      const known = parents.get(child);
      if (known) known.push(name);
      else {
        const path = ["groups", name, "children", i];
        findings.push(
          error("E104", path, `no group "${child}"`, { fix: suggestion(child, names, "groups") }),
        );
      }
    });
  }

  const ancestry = new Map<string, readonly string[]>();
  const open: string[] = [];
  const ancestors = (name: string): readonly string[] => {
    const known = ancestry.get(name);
    if (known) return known;
    if (open.includes(name)) {
      const cycle = [...open.slice(open.indexOf(name)), name].reverse().join(" > ");
      const path = ["groups", name, "children"];
      findings.push(
        error("E109", path, `groups contain each other: ${cycle}`, { fix: "Take one of them out." }),
      );
      return [];
    }
    open.push(name);
    const chain = [...new Set([...(parents.get(name) ?? []).flatMap(ancestors), name])];
    open.pop();
    ancestry.set(name, chain);
    return chain;
  };
  for (const name of names) ancestors(name);
  return {
    chain: (listed) => [...new Set(listed.filter((name) => groups.has(name)).flatMap(ancestors))],
    findings,
  };
}
