/** A plan as text: the same for `plan` and at the start of `rollout`. Pure. */
import type { Plan, PlannedHost, PlannedWave, Resolution } from "../../plan/model.ts";
import { COPY_PARALLEL } from "../../plan/policy.ts";
import { type Opening, schedule } from "../../plan/schedule.ts";
import { alike, firstOf } from "./alike.ts";
import { kindOf } from "./classes.ts";
import { bytes, duration, names, plural, versions } from "./format.ts";
import { accent, dim, flow, type Line, line, span, strong, warn } from "./line.ts";
import { hostWindow, waveWindows, windowNote } from "./plan-windows.ts";
import { pad, width } from "./width.ts";

export interface PlanViewOptions {
  /** `Infinity` where nothing has to fit. */
  readonly columns: number;
  /** Every host of every wave with its reason, however many. */
  readonly all?: boolean;
}

export function planLines(plan: Plan, o: PlanViewOptions): Line[] {
  const starts = schedule(plan);
  return [
    title(plan),
    ...resolved(plan, o.columns),
    ...plan.waves.flatMap((wave) => waveLines(plan, wave, o, starts)),
    ...windowNote(plan),
    ...guardLines(plan, o),
    ...traffic(plan, o),
    ...excluded(plan, o),
    ...warnings(plan, o),
    line(dim(` plan hash ${plan.hash}`)),
  ];
}

function title(plan: Plan): Line {
  const kind = kindOf(plan) === "rollout" ? "" : ` ${kindOf(plan)}`;
  const undone = plan.reverts === undefined ? "" : ` of ${plan.reverts}`;
  return line(
    strong(plan.id),
    `${kind}${undone} ${plan.fleet} `,
    strong(versions(plan)),
    `   ${plural(plan.hosts.length, "host")} in ${plural(plan.waves.length, "wave")}`,
    plan.excluded.length > 0 && dim(`, ${plan.excluded.length} left alone`),
  );
}

/** `canary 10 % of 7 -> 1`. */
function resolutionText(r: Resolution): string {
  return `${r.name} ${r.asked} of ${r.base} -> ${r.value}`;
}

function resolved(plan: Plan, columns: number): Line[] {
  const { copying } = plan.limits;
  const stated = copying === COPY_PARALLEL.usual ? [] : [`copy-parallel ${copying}`];
  const segments = [...plan.resolutions.map(resolutionText), ...stated].map((text) => line(dim(text)));
  return segments.length === 0 ? [] : flow([line(" resolved"), ...segments], columns, { indent: 10 });
}

function waveLines(
  plan: Plan,
  wave: PlannedWave,
  o: PlanViewOptions,
  starts: ReadonlyMap<string, Opening>,
): Line[] {
  const head = line(
    accent(` wave ${wave.index}/${plan.waves.length} `),
    strong(wave.label),
    `   ${plural(wave.hosts.length, "host")}   stop when failures > ${wave.maxFailures}`,
    wave.soakMs > 0 && `   soak ${duration(wave.soakMs)}`,
  );
  const byName = new Map(plan.hosts.map((h) => [h.name, h]));
  const hosts = wave.hosts.flatMap((name) => byName.get(name) ?? []);
  const detailed = o.all === true || hosts.length <= (wave.kind === "canary" ? 10 : 5);
  if (detailed) return [head, ...hosts.map((h) => pick(h, hosts, starts))];
  return [
    head,
    ...groupsByRole(hosts).flatMap((segments) => flow(segments, o.columns, { gap: 2, indent: 9 })),
    ...waveWindows(plan, hosts, starts, o.all),
  ];
}

function pick(host: PlannedHost, all: readonly PlannedHost[], starts: ReadonlyMap<string, Opening>): Line {
  const cells = (of: (h: PlannedHost) => string) => Math.max(...all.map((h) => width(of(h))));
  const column = (of: (h: PlannedHost) => string) => pad(of(host), cells(of));
  return line(
    "   ",
    strong(column((h) => h.name)),
    `  ${column((h) => h.role)}  ${column((h) => h.site ?? "-")}  ${column((h) => shortArch(h.arch))}`,
    host.via !== null && dim(`  via ${host.via}`),
    dim(`  ${host.why}`),
    hostWindow(host, starts),
    host.from === null && warn("  not reached while planning"),
  );
}

const shortArch = (arch: string): string => arch.replace(/-linux$/, "");

/** Larger waves: names by role, as far as two or three lines go. */
function groupsByRole(hosts: readonly PlannedHost[]): Line[][] {
  const roles = [...new Set(hosts.map((h) => h.role))];
  return roles.map((role) => {
    const of = hosts.filter((h) => h.role === role).map((h) => h.name);
    const label = line(dim(`   ${plural(of.length, role)}`));
    const list = of.length <= 13 ? of : of.slice(0, 12);
    const more = of.length - list.length;
    return [label, ...list.map((n) => line(n)), ...(more > 0 ? [line(dim(`and ${more} more`))] : [])];
  });
}

function guardLines(plan: Plan, o: PlanViewOptions): Line[] {
  const [fleet, sites] = [
    plan.guards.filter((g) => g.site === null),
    plan.guards.filter((g) => g.site !== null),
  ];
  const same = Map.groupBy(sites, (g) => `${g.role} ${g.required} ${g.members.length}`);
  const groups = [...fleet.map((g) => [g]), ...(o.all ? sites.map((g) => [g]) : same.values())];
  return groups.flatMap((group) => {
    const [g] = group;
    if (g === undefined) return [];
    const where =
      g.site === null
        ? ""
        : ` in ${names(
            group.map((other) => other.site ?? ""),
            4,
          )}`;
    return [
      line(
        dim(` quorum  ${g.role}${where}: `),
        `${g.required} of ${g.members.length} must be up`,
        group.length === 1 && dim(`  ${names(g.members, 4)}`),
      ),
    ];
  });
}

const SITES = 12;

interface Traffic {
  readonly site: string;
  readonly bytes: number;
  readonly hosts: number;
  /** Hosts there take what they share from this one. */
  readonly seed?: string | undefined;
}

/** The whole closure per host at most; what is already there is not copied. The sites with the most to copy first. */
function traffic(plan: Plan, o: PlanViewOptions): Line[] {
  const copying = plan.hosts.filter((h) => h.closureBytes > 0);
  const all = [...Map.groupBy(copying, (h) => h.site ?? "no site")].map(([site, hosts]) =>
    toSite(site, hosts),
  );
  if (all.length === 0) return [];
  const few = o.all || all.length <= SITES;
  const shown = few ? all : all.toSorted((a, b) => b.bytes - a.bytes).slice(0, SITES);
  const rest = all.filter((t) => !shown.includes(t));
  const sum = (of: (t: Traffic) => number) => rest.reduce((n, t) => n + of(t), 0);
  const others: Traffic = {
    site: `${rest.length} more sites`,
    bytes: sum((t) => t.bytes),
    hosts: sum((t) => t.hosts),
  };
  const cells = [...shown, ...(rest.length > 0 ? [others] : [])].map(trafficCell);
  return flow([line(" to copy at most"), ...cells], o.columns, { indent: 10 });
}

/** A site with a seed carries about once what its systems have in common: the largest of them. */
function toSite(site: string, hosts: readonly PlannedHost[]): Traffic {
  const seed = hosts.find((h) => h.seed !== undefined)?.seed;
  const sizes = hosts.map((h) => h.closureBytes);
  const bytes = seed === undefined ? sizes.reduce((a, b) => a + b, 0) : Math.max(...sizes);
  return { site, bytes, hosts: hosts.length, seed };
}

const trafficCell = ({ site, seed, hosts, bytes: n }: Traffic): Line =>
  line(
    `${site} ${seed === undefined ? "" : "about "}${bytes(n)}`,
    dim(` (${plural(hosts, "host")}${seed === undefined ? "" : `, through ${seed}`})`),
  );

function excluded(plan: Plan, o: PlanViewOptions): Line[] {
  const groups = alike(plan.excluded, (e) => `${e.state} ${e.reason}`, namesIn(plan));
  return groups.flatMap((group) => {
    const hosts = group.map((e) => e.host);
    const [first] = group;
    if (first === undefined) return [];
    const list = o.all ? hosts.join(", ") : names(hosts, 6);
    const tone = first.state === "deferred" ? "warn" : "dim";
    return [line(span(` ${pad(first.state, 8)} `, tone), list, dim(`  ${first.reason}`))];
  });
}

function warnings(plan: Plan, o: PlanViewOptions): Line[] {
  if (o.all) return plan.warnings.map((text) => line(warn(" warning "), text));
  return alike(plan.warnings, (text) => text, namesIn(plan)).flatMap((group) => {
    const { shown, more } = firstOf(group, 3);
    return [
      ...shown.map((text) => line(warn(" warning "), text)),
      ...(more > 0 ? [line("         ", dim(`and ${more} more like it`))] : []),
    ];
  });
}

/** What warnings and reasons tell apart: hosts and sites. */
export function namesIn(plan: Plan): ReadonlySet<string> {
  return new Set([...plan.hosts.flatMap((h) => [h.name, h.site ?? ""]), ...plan.excluded.map((e) => e.host)]);
}
