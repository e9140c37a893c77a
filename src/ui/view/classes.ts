/** The few kinds of state that people count, and the words for them. Pure. */
import type { Plan } from "../../plan/model.ts";
import type { HostState } from "../../rollout/events.ts";
import { isInstallation } from "../../rollout/next.ts";
import type { HostProgress } from "../../rollout/state.ts";

export type HostClass = "ok" | "failed" | "busy" | "waiting" | "deferred" | "skipped";

const CLASS: Readonly<Record<HostState, HostClass>> = {
  pending: "waiting",
  preflight: "busy",
  staging: "busy",
  staged: "waiting", // copied to, but nothing of it has changed
  activating: "busy",
  rebooting: "busy",
  confirming: "busy",
  committing: "busy",
  updated: "ok",
  skipped: "skipped",
  deferred: "deferred",
  reverting: "busy",
  reverted: "failed",
  failed: "failed",
  unknown: "busy",
  drifted: "failed",
  draining: "busy",
  saving: "busy",
  kexec: "busy",
  leaving: "busy",
  partitioning: "busy",
  installing: "busy",
  restoring: "busy",
  restarting: "busy",
  verifying: "busy",
};

export function classOf(state: HostState): HostClass {
  return CLASS[state];
}

/** States in which a host may not serve: they count against max-unavailable. */
const UNAVAILABLE: ReadonlySet<HostState> = new Set<HostState>([
  "activating",
  "rebooting",
  "confirming",
  "committing",
  "reverting",
  "unknown",
]);

/** It may not be what it was: it confirms or reverts by itself. */
export const isAtRisk = (state: HostState): boolean => UNAVAILABLE.has(state);

export type Tally = Readonly<Record<HostClass, number>> & {
  readonly total: number;
  readonly unavailable: number;
};

export function tally(hosts: Iterable<HostProgress>): Tally {
  const n = { ok: 0, failed: 0, busy: 0, waiting: 0, deferred: 0, skipped: 0, total: 0, unavailable: 0 };
  for (const host of hosts) {
    n[classOf(host.state)] += 1;
    n.total += 1;
    if (isAtRisk(host.state)) n.unavailable += 1;
  }
  return n;
}

export type RunKind = "rollout" | "undo" | "rollback" | "install";

export function kindOf(plan: Plan): RunKind {
  return isInstallation(plan) ? "install" : plan.kind;
}

const DONE: Readonly<Record<RunKind, string>> = {
  rollout: "updated",
  undo: "rolled back",
  rollback: "rolled back",
  install: "installed",
};

/** What a host is called once it is done: an installed host was not "updated". */
export function stateLabel(state: HostState, kind: RunKind): string {
  if (state === "updated") return DONE[kind];
  return state === "pending" ? "waiting" : state;
}

/** The command family that speaks of this run. */
export function statusCommand(plan: Plan, host?: string): string {
  const detail = host === undefined ? "" : ` --host ${host}`;
  return `macula-fleet rollout status ${plan.id}${detail}`;
}
