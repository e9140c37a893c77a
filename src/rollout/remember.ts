/**
 * What to remember of each host, for `status`, `rollback`, `--limit state=…` and catch-up: of those that are left out
 * before the run begins, of the others whenever it stops; before it says in its journal that it is over, for whoever
 * dies in between is not resumed.
 */
import type { HostChange, HostRecord, Store } from "../store/store.ts";
import { isAtRisk } from "./classes.ts";
import { RULES, type Rules } from "./rules.ts";
import type { HostProgress, RolloutState } from "./state.ts";

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

/**
 * Pure part of `rememberHosts`. A run that has begun has a word only on hosts it moved since its last end: others may
 * have had the rest meanwhile. Asked again after a pause, it knows what it said before.
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
    const known = old?.outcomeRun === id && old.lastHealthy === to;
    switch (host.state) {
      case "updated":
        return [
          {
            ...base,
            ...SETTLED,
            outcome: "updated",
            owes: undefined,
            ...(to === undefined ? {} : { current: to }),
            ...(known ? {} : healthy(host, to, state, old)),
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
