/** Sliding slots: who is looked at, copied to and activated next, as far as every limit allows. Pure. */
import { fits, windowState } from "../plan/windows.ts";
import { moved } from "./bodies.ts";
import { measure, occupy } from "./budgets.ts";
import { isPreparing } from "./classes.ts";
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import type { EventBody } from "./events.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { estimateMs } from "./timing.ts";

type Step = Decision & { readonly wakeAt?: number | null };

/** Looking at hosts and copying to them is harmless: as many as the copy limits allow, ahead of their activation. */
export function prepare(state: RolloutState, context: Context, names: readonly string[]): Step {
  const { copying, copyingPerSite } = state.plan.limits;
  const preparing: HostProgress[] = [];
  for (const h of state.hosts.values()) if (isPreparing(h)) preparing.push(h);
  let room = copying - preparing.length;
  const perSite = new Map<string, number>();
  const count = (site: string | null | undefined) => site && perSite.set(site, (perSite.get(site) ?? 0) + 1);
  for (const h of preparing) count(state.targets.get(h.name)?.site);
  const events: EventBody[] = [];
  for (const name of names) {
    if (room <= 0) break;
    const host = state.hosts.get(name);
    const site = state.targets.get(name)?.site;
    if (host?.state !== "pending" || context.inFlight.has(name)) continue;
    if (site && (perSite.get(site) ?? 0) >= copyingPerSite) continue;
    events.push(moved(state, host, "preflight", "looking at the host"));
    count(site);
    room--;
  }
  return { events, effects: [] };
}

/** A staged host is activated as soon as every budget has room for it and its guards agree. */
export function activate(state: RolloutState, context: Context, names: readonly string[]): Step {
  const { now, inFlight, rules } = context;
  const staged = names.flatMap((name) => {
    const host = state.hosts.get(name);
    const target = state.targets.get(name);
    return host?.state === "staged" && target && !inFlight.has(name) ? [{ host, target }] : [];
  });
  if (staged.length === 0) return { events: [], effects: [] };
  const usage = measure(state, guarding(context), context.elsewhere);
  const effects: Effect[] = [];
  let wakeAt: number | null = null;
  const wake = (at: number | null) => {
    if (at !== null) wakeAt = Math.min(wakeAt ?? Infinity, at);
  };
  for (const { host, target } of staged) {
    if (host.retryAt !== null && now < host.retryAt) {
      wake(host.retryAt);
      continue;
    }
    if (!fits(target.windows, now, estimateMs(state.plan.policy))) {
      wake(windowState(target.windows, now).changesAt);
      continue;
    }
    if (rules.blockedBy(usage, target) !== null) continue;
    occupy(usage, host, target);
    effects.push({ kind: "guard", host: host.name });
  }
  return { events: [], effects, wakeAt };
}

/** Guards under way hold their host's slot. */
export function guarding(context: Context, but?: string): ReadonlySet<string> {
  return new Set(
    [...context.inFlight].filter(([name, kind]) => kind === "guard" && name !== but).map(([name]) => name),
  );
}
