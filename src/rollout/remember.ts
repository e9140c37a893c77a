/**
 * What to remember of each host, for `status`, `rollback`, `--limit state=…`, catch-up and the budgets of other runs: of
 * those that are left out when the run begins, of the others whenever it stops. Written with the events that say so, in
 * one transaction: whoever dies has done both or nothing, and whoever was overtaken nothing.
 */
import type { HostChange, HostRecord, Store } from "../store/store.ts";
import { isAtRisk } from "./classes.ts";
import { type EventBody, TERMINAL_STATES } from "./events.ts";
import { RULES, type Rules } from "./rules.ts";
import type { HostProgress, RolloutState } from "./state.ts";

/** What goes with these events of a run that is in `state`. */
export async function remembered(
  store: Pick<Store, "hosts">,
  state: RolloutState,
  events: readonly EventBody[],
  now: number,
  rules: Rules = RULES,
): Promise<readonly HostChange[]> {
  const ends = events.some((e) => e.type === "rollout.state" && TERMINAL_STATES.has(e.data.to));
  const stops = ends || events.some((e) => e.type === "summary");
  // Of a machine that was wiped there is nothing to remember.
  if ((!stops && state.status !== "planned") || "wipes" in state.plan) return [];
  const records = hostRecords(state, await store.hosts(), now);
  return ends ? [...leftBehind(state, now, rules), ...records] : records;
}

/** Whom a run leaves behind unsettled: the budgets of other runs go on counting them. */
function leftBehind({ plan, hosts, targets }: RolloutState, since: number, rules: Rules): HostChange[] {
  const left = [...hosts.values()].filter(rules.leftBehind);
  return left.map((host) => {
    const via = isAtRisk(host) ? targets.get(host.name)?.via : null;
    return { host: host.name, unsettled: { run: plan.id, since, ...(via ? { via } : {}) } };
  });
}

/** Settled, whatever was recorded before. */
const SETTLED = { unsettled: undefined };

/**
 * Pure. A run that has begun has a word only on hosts it moved since its last end: others may have had the rest
 * meanwhile. Asked again after a pause, it knows what it said before.
 */
export function hostRecords(
  state: RolloutState,
  before: ReadonlyMap<string, HostRecord>,
  now: number,
): HostChange[] {
  const { id, revision, kind } = state.plan;
  const ours = [...state.hosts.values()].filter(
    (h) => state.status === "planned" || h.sinceSeq > state.rememberedSeq,
  );
  return ours.flatMap((host): HostChange[] => {
    const to = state.targets.get(host.name)?.to;
    const old = before.get(host.name);
    const said = { host: host.name, outcomeRun: id };
    const base = { ...said, ...(host.contactAt === null ? {} : { seenAt: host.contactAt }) };
    if (host.state === "skipped" && !host.committed) return [];
    // Whoever said so: this run before a pause, most likely.
    const known = old?.lastHealthy !== undefined && old.lastHealthy === to;
    switch (host.state) {
      case "updated":
      case "skipped":
        return [
          {
            ...base,
            ...SETTLED,
            outcome: "updated",
            owes: undefined,
            ...(to === undefined ? {} : { current: to }),
            ...(known ? {} : healthy(host, to, state, old)),
            ...(known && kind === "rollout" ? { revision } : {}),
          },
        ];
      case "reverted":
        return [
          {
            ...base,
            ...SETTLED,
            outcome: "reverted",
            ...(host.previous === null ? {} : { current: host.previous }),
            ...(known && host.previous !== to ? wentBack(host, old) : {}),
          },
        ];
      case "failed":
      case "drifted":
      case "unknown":
        return [{ ...base, outcome: "failed" }];
      case "deferred": {
        // Nobody catches up to a rollback: what it owed before, it owes still.
        const owes = { run: id, revision, since: old?.owes?.since ?? now };
        return [{ ...base, outcome: "deferred", ...(kind === "rollback" ? {} : { owes }) }];
      }
      default:
        return [];
    }
  });
}

function healthy(
  host: HostProgress,
  to: string | undefined,
  state: RolloutState,
  old: HostRecord | undefined,
): Partial<HostChange> {
  return {
    revision: revisionOf(to, state, old),
    previousRevision: host.previous === old?.lastHealthy ? old?.revision : undefined,
    ...(to === undefined ? {} : { lastHealthy: to }),
    ...(host.previous === null ? {} : { previousHealthy: host.previous }),
  };
}

/** It was said to be healthy there, and then it was not. */
const wentBack = (host: HostProgress, old: HostRecord | undefined): Partial<HostChange> => ({
  revision: old?.previousRevision,
  lastHealthy: host.previous ?? undefined,
  previousRevision: undefined,
  previousHealthy: undefined,
});

/** A rollback is not a revision: what it went to has the one it had before; undefined where nobody here gave it one. */
function revisionOf(
  to: string | undefined,
  { plan }: RolloutState,
  old: HostRecord | undefined,
): string | undefined {
  if (plan.kind === "rollout") return plan.revision;
  if (to === old?.previousHealthy) return old?.previousRevision;
  return to === old?.lastHealthy ? old?.revision : undefined;
}
