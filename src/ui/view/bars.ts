/** Progress per role, per site and per wave. Pure. */
import type { Role } from "../../inventory/model.ts";
import type { PlannedHost } from "../../plan/model.ts";
import { type Tally, tally } from "./classes.ts";
import { bar, count } from "./format.ts";
import { bad, dim, flow, type Line, line, span } from "./line.ts";
import type { ViewState } from "./model.ts";
import { pad, width } from "./width.ts";

/** `peer ███████░░░ 18/50   gateway ░ 0/4 (after peer)   bootstrap ░ 0/3 (last, one at a time)`. */
export function roleBars(view: ViewState, columns: number): Line[] {
  const { plan } = view.run;
  const order = plan.policy.order;
  const present = order.filter((role) => plan.hosts.some((h) => h.role === role));
  if (present.length === 0) return [];
  const cells = columns >= 100 ? 20 : columns >= 70 ? 10 : 6;
  const segments = present.map((role, i) => {
    const t = tallyOf(view, (h) => h.role === role);
    return line(
      `${role} `,
      progress(t, t.total <= 4 ? t.total : cells),
      note(view, role, t, present[i - 1], i === present.length - 1 && i > 0),
    );
  });
  return flow(
    segments.map((s, i) => (i === 0 ? line(" ", s) : s)),
    columns,
  );
}

function note(view: ViewState, role: Role, t: Tally, before: Role | undefined, last: boolean): Line {
  if (t.waiting < t.total) return [];
  const words = [
    last ? "last" : before === undefined ? null : `after ${before}`,
    view.run.plan.limits.maxParallelPerRole[role] === 1 && t.total > 1 ? "one at a time" : null,
  ].filter((w) => w !== null);
  return words.length === 0 ? [] : line(dim(` (${words.join(", ")})`));
}

/** One line per site, the ones with trouble or work first. */
export function siteBars(view: ViewState, columns: number, most: number): Line[] {
  const sites = new Map<string, PlannedHost[]>();
  for (const host of view.run.plan.hosts) {
    const site = host.site ?? "no site";
    const list = sites.get(site);
    if (list) list.push(host);
    else sites.set(site, [host]);
  }
  const rows = [...sites]
    .map(([site, hosts]) => ({ site, t: tally(hosts.flatMap((h) => view.run.hosts.get(h.name) ?? [])) }))
    .sort((a, b) => b.t.failed - a.t.failed || b.t.busy - a.t.busy || a.site.localeCompare(b.site));
  if (most <= 0) return [];
  // The last line tells how many are hidden.
  const shown = rows.length > most ? rows.slice(0, most - 1) : rows;
  const label = Math.max(...shown.map((r) => width(r.site)), 0);
  const lines = shown.map(({ site, t }) =>
    line(
      ` ${pad(site, label)} `,
      progress(t, columns >= 100 ? 30 : 12),
      t.busy > 0 && `  ${t.busy} in hand`,
      t.failed > 0 && bad(`  ${t.failed} failed`),
      t.deferred > 0 && dim(`  ${t.deferred} deferred`),
    ),
  );
  const hidden = rows.length - shown.length;
  return hidden > 0 ? [...lines, line(dim(` and ${hidden} ${shown.length > 0 ? "more " : ""}sites`))] : lines;
}

/** How many hosts are in which state: for fleets too large for names. */
export function histogram(view: ViewState, columns: number): Line[] {
  const counts = new Map<string, number>();
  for (const host of view.run.hosts.values()) counts.set(host.state, (counts.get(host.state) ?? 0) + 1);
  const most = Math.max(...counts.values(), 1);
  const cells = Math.max(10, Math.min(50, columns - 30));
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([state, n]) =>
      line(
        ` ${pad(state, 12)} ${pad(count(n), 7, "left")} `,
        span("█".repeat(Math.max(1, Math.round((n / most) * cells))), toneOf(state)),
      ),
    );
}

function toneOf(state: string): "ok" | "bad" | "dim" | "accent" {
  if (state === "updated") return "ok";
  if (state === "failed" || state === "reverted") return "bad";
  return state === "pending" || state === "skipped" || state === "deferred" ? "dim" : "accent";
}

export function progress(t: Tally, cells: number): Line {
  return line(
    bar({ done: t.ok, failed: t.failed, busy: t.busy, total: t.total }, cells),
    ` ${t.ok}/${t.total}`,
  );
}

function tallyOf(view: ViewState, select: (host: PlannedHost) => boolean): Tally {
  return tally(view.run.plan.hosts.filter(select).flatMap((h) => view.run.hosts.get(h.name) ?? []));
}
