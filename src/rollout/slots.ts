/** Sliding slots: who is looked at, copied to and activated next, as far as every limit allows. Pure. */
import { estimateMs, nextFit } from "../plan/windows.ts";
import { moved } from "./bodies.ts";
import { type Block, isElsewhere, measure, occupy } from "./budgets.ts";
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import type { EventBody } from "./events.ts";
import { Closed, hasAny, hostsIn, outside } from "./groups.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { lateWordMs } from "./timing.ts";

type Step = Decision & { readonly wakeAt?: number | null };

/**
 * Looking at hosts and copying to them is harmless: as many as the copy limits allow, ahead of their activation. Whoever
 * takes up room is looked at whatever its wave: the current one may be waiting for just that room. Whoever another run
 * left in flight is looked at only when no word of that run can arrive there any more.
 */
export function prepare(state: RolloutState, context: Context): Step {
  const { copying, copyingPerSite, copyingBySite } = state.plan.limits;
  const preparing = hostsIn(state, "preparing");
  let room = copying - preparing.length;
  const perSite = new Map<string, number>();
  const full = new Closed();
  const count = (site: string | null) => {
    if (site === null) return;
    const n = (perSite.get(site) ?? 0) + 1;
    perSite.set(site, n);
    if (n >= (copyingBySite[site] ?? copyingPerSite)) full.sites.add(site);
  };
  for (const h of preparing) count(h.site);
  const events: EventBody[] = [];
  if (room <= 0) return { events, effects: [] };
  const begun = new Set<string>();
  const lateMs = lateWordMs(state.plan.policy);
  const early = Math.abs(context.now - context.resumedAt) < lateMs;
  let wakeAt: number | null = null;
  for (const host of next(full, state)) {
    if (context.inFlight.has(host.name) || begun.has(host.name)) continue;
    if (early && isElsewhere(state, context.elsewhere, host.name)) {
      wakeAt = context.resumedAt + lateMs;
      continue;
    }
    begun.add(host.name);
    events.push(moved(state, host, "preflight", "looking at the host"));
    count(host.site);
    if (--room <= 0) break;
  }
  return { events, effects: [], wakeAt };
}

function* next(full: Closed, state: RolloutState): Generator<HostProgress, void, undefined> {
  yield* outside(full, state, "returning");
  yield* outside(full, state, "pending", state.wave);
}

/** A staged host is activated as soon as every budget has room for it and its guards agree. */
export function activate(state: RolloutState, context: Context): Step {
  const { now, inFlight, rules } = context;
  if (!hasAny(state, "staged", state.wave)) return { events: [], effects: [] };
  const usage = measure(state, guarding(context), context.elsewhere);
  const estimate = estimateMs(state.plan.policy);
  const effects: Effect[] = [];
  const closed = new Closed();
  let wakeAt: number | null = null;
  const wake = (at: number | null) => {
    if (at !== null) wakeAt = Math.min(wakeAt ?? Infinity, at);
  };
  for (const host of outside(closed, state, "staged", state.wave)) {
    const target = state.targets.get(host.name);
    if (!target || inFlight.has(host.name)) continue;
    if (rules.waits(host, now)) {
      wake(host.retryAt);
      continue;
    }
    if (!rules.fits(target.windows, now, estimate)) {
      wake(nextFit(target.windows, now, estimate));
      closed.sites.add(host.site); // The hosts of a site share their windows.
      continue;
    }
    const block = rules.blockedBy(usage, target);
    if (block !== null && keepsOut(block, host, closed)) break;
    if (block !== null) continue;
    occupy(usage, host, target);
    effects.push({ kind: "guard", host: host.name });
  }
  return { events: [], effects, wakeAt };
}

/** Nobody has to be asked in vain: closes whatever a limit says is full; true: it keeps everybody out. */
export function keepsOut({ keepsOut }: Block, { role, site }: HostProgress, closed: Closed): boolean {
  if (keepsOut === "its role") closed.roles.add(role);
  if (keepsOut === "its site") closed.sites.add(site);
  return keepsOut === "everybody";
}

/** What keeps the first staged host waiting, for people. */
export function obstacle(state: RolloutState, context: Context): string | null {
  const [host] = hostsIn(state, "staged");
  const target = host && state.targets.get(host.name);
  if (!target) return null;
  if (host.notNowSince !== null && host.failure) return host.failure.message;
  const block = context.rules.blockedBy(measure(state, guarding(context), context.elsewhere), target);
  if (block === null) return null;
  const lost = hostsIn(state, "doubtful").map((h) => h.name);
  const others = [...context.elsewhere.keys()].filter((name) => isElsewhere(state, context.elsewhere, name));
  return [
    `${target.name} waits: ${block.limit}`,
    ...named("given up and not seen at rest since", lost),
    ...named("in flight for other runs, or left so", others),
  ].join("; ");
}

const named = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`${what}: ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}`];

/** Guards under way hold their host's slot. */
export function guarding(context: Context, but?: string): ReadonlySet<string> {
  return new Set(
    [...context.inFlight].filter(([name, kind]) => kind === "guard" && name !== but).map(([name]) => name),
  );
}
