/** After a run: what to remember of each host, for `status`, `rollback`, `--limit state=…` and catch-up. */
import type { HostChange, HostRecord, Store } from "../store/store.ts";
import { isAtRisk } from "./classes.ts";
import { RULES, type Rules } from "./rules.ts";
import type { RolloutState } from "./state.ts";

export async function rememberHosts(store: Store, state: RolloutState, now: number): Promise<void> {
  const before = await store.hosts();
  for (const record of hostRecords(state, before, now)) await store.putHost(record);
}

/** Before a run ends: whom it leaves behind unsettled, so that the budgets of other runs count them without a gap. */
export async function rememberUnsettled(
  store: Store,
  state: RolloutState,
  now: number,
  { leftBehind }: Rules = RULES,
): Promise<void> {
  const { id: run } = state.plan;
  for (const host of state.hosts.values()) {
    if (!leftBehind(host)) continue;
    const via = isAtRisk(host) ? state.targets.get(host.name)?.via : null;
    await store.putHost({ host: host.name, unsettled: { run, since: now, ...(via ? { via } : {}) } });
  }
}

/** Settled, whatever was recorded before. */
const SETTLED = { unsettled: undefined };

/** Pure part of `rememberHosts`. */
export function hostRecords(
  state: RolloutState,
  before: ReadonlyMap<string, HostRecord>,
  now: number,
): HostChange[] {
  const targets = new Map(state.plan.hosts.map((h) => [h.name, h.to]));
  const { id, revision } = state.plan;
  return [...state.hosts.values()].flatMap((host): HostChange[] => {
    const to = targets.get(host.name);
    const old = before.get(host.name);
    const base = { host: host.name, ...(host.contactAt === null ? {} : { seenAt: host.contactAt }) };
    switch (host.state) {
      case "updated":
        return [
          {
            ...base,
            ...SETTLED,
            outcome: "updated",
            outcomeRun: id,
            revision: revisionOf(to, state, old),
            previousRevision: host.previous === old?.lastHealthy ? old?.revision : undefined,
            failures: 0,
            ...(to === undefined ? {} : { current: to, lastHealthy: to }),
            ...(host.previous === null ? {} : { previousHealthy: host.previous }),
            owes: undefined,
          },
        ];
      case "reverted":
        return [
          {
            ...base,
            ...SETTLED,
            outcome: "reverted",
            outcomeRun: id,
            failures: (old?.failures ?? 0) + 1,
            ...(host.previous === null ? {} : { current: host.previous }),
          },
        ];
      case "failed":
      case "drifted":
      case "unknown":
        return [{ ...base, outcome: "failed", outcomeRun: id, failures: (old?.failures ?? 0) + 1 }];
      case "deferred":
        return [
          {
            ...base,
            outcome: "deferred",
            outcomeRun: id,
            owes: { run: id, revision, since: old?.owes?.since ?? now },
          },
        ];
      default:
        return [];
    }
  });
}

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
