/** How host states count: towards budgets, slots and the end of a wave. Pure. */
import type { HostState } from "./events.ts";
import type { HostProgress } from "./host-progress.ts";

/** Between the first change on the host and its proof: it may be down, and a slot is taken. */
const AT_RISK: ReadonlySet<HostState> = new Set([
  "activating",
  "rebooting",
  "confirming",
  "committing",
  "reverting",
  "unknown",
]);
/** Nothing has changed on the host yet: may be stopped at any time. */
const PREPARING: ReadonlySet<HostState> = new Set(["preflight", "staging"]);
const SETTLED: ReadonlySet<HostState> = new Set([
  "updated",
  "skipped",
  "deferred",
  "reverted",
  "failed",
  "drifted",
]);
const FAILED: ReadonlySet<HostState> = new Set(["reverted", "failed", "drifted"]);

export const isAtRisk = (h: HostProgress): boolean => AT_RISK.has(h.state);
export const isPreparing = (h: HostProgress): boolean => PREPARING.has(h.state);
export const isSettled = (h: HostProgress): boolean => SETTLED.has(h.state);
export const isFailed = (h: HostProgress): boolean => FAILED.has(h.state);
/** It was told to activate in this attempt, so it may not be what it was. */
export const wasTouched = (h: HostProgress): boolean => h.fence !== null;
/** Counts against max-unavailable: at risk, or broken by an activation and waiting for a human. */
export const isUnavailable = (h: HostProgress): boolean => isAtRisk(h) || h.unsettled;

export interface Tally {
  readonly ok: number;
  readonly failed: number;
  readonly deferred: number;
  readonly skipped: number;
  readonly pending: number;
}

/** `ok` are updated hosts and those that already ran the target. */
export function tally(hosts: Iterable<HostProgress>): Tally {
  const t = { ok: 0, failed: 0, deferred: 0, skipped: 0, pending: 0 };
  for (const h of hosts) {
    if (h.state === "updated") t.ok++;
    else if (isFailed(h)) t.failed++;
    else if (h.state === "deferred") t.deferred++;
    else if (h.state === "skipped") t.skipped++;
    else t.pending++;
  }
  return t;
}
