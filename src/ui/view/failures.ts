/** Many failures told as few: equal up to what differs from host to host. Pure. */
import { count, names } from "./format.ts";
import type { Incident } from "./incidents.ts";
import { bad, dim, type Line, line, span, strong } from "./line.ts";
import type { ViewState } from "./model.ts";

export interface FailureGroup {
  readonly code: string;
  /** As the first host said it. */
  readonly message: string;
  readonly hint: string | null;
  readonly hosts: readonly string[];
}

/** Host names, paths, addresses, ids and numbers are what makes equal failures look different. */
export function fingerprint(incident: Pick<Incident, "host" | "code" | "message">): string {
  const general = incident.message
    .replaceAll(incident.host, "HOST")
    .replace(/\/nix\/store\/[0-9a-z]{32}-/g, "/nix/store/…-")
    .replace(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, "ADDRESS")
    .replace(/\b(?=[0-9a-f-]*\d)[0-9a-f][0-9a-f-]{7,}\b/g, "ID")
    .replace(/\d+/g, "N");
  return `${incident.code}: ${general}`;
}

/** Largest group first; hosts in order of name. */
export function groupFailures(incidents: Iterable<Incident>): FailureGroup[] {
  const groups = new Map<string, Incident[]>();
  for (const incident of incidents) {
    const key = fingerprint(incident);
    groups.set(key, [...(groups.get(key) ?? []), incident]);
  }
  return [...groups]
    .flatMap(([, group]): FailureGroup[] => {
      const [first, ...more] = group.sort((a, b) => a.host.localeCompare(b.host));
      if (first === undefined) return [];
      const same = more.every((i) => i.message === first.message);
      return [
        {
          code: first.code,
          message: same ? first.message : `${first.message} (and alike)`,
          hint: first.hint,
          hosts: group.map((i) => i.host),
        },
      ];
    })
    .sort((a, b) => b.hosts.length - a.hosts.length || a.code.localeCompare(b.code));
}

/** ` ! 12 × health-failed  failed units: macula-mesh.service   node-03, node-07 and 10 more  (peer 12, gent 9)`. */
export function failureLines(
  view: ViewState,
  o: { readonly most: number; readonly strata: boolean },
): Line[] {
  const groups = groupFailures(view.incidents.values());
  const shown = groups
    .slice(0, o.most)
    .map((g) =>
      line(
        " ",
        bad("!"),
        " ",
        strong(`${count(g.hosts.length)} × ${g.code}`),
        "  ",
        span(g.message),
        "   ",
        dim(names(g.hosts, 3)),
        o.strata && dim(`  (${strata(view, g.hosts)})`),
      ),
    );
  const hidden = groups.length - shown.length;
  return hidden > 0 ? [...shown, line("   ", dim(`and ${hidden} more kinds of failure`))] : shown;
}

function strata(view: ViewState, hosts: readonly string[]): string {
  const failed = new Set(hosts);
  const counts = new Map<string, number>();
  for (const host of view.run.plan.hosts) {
    if (!failed.has(host.name)) continue;
    for (const key of [host.role, host.site ?? "no site"]) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([key, n]) => `${key} ${n}`)
    .join(", ");
}
