/** A run as one object: what `-o json` prints and the web page's interface answers. Pure. */
import type { Plan, PlannedHost } from "../../plan/model.ts";
import type { HostState, PauseReason, RunState } from "../../rollout/events.ts";
import { kindOf, type RunKind, tally } from "./classes.ts";
import type { ViewState } from "./model.ts";
import { nextCommands } from "./next.ts";

export interface RunReport {
  readonly run: string;
  readonly kind: RunKind;
  readonly fleet: string;
  readonly revision: string;
  readonly planHash: string;
  readonly state: RunState;
  readonly reason: PauseReason | null;
  readonly detail: string | null;
  readonly wave: number;
  readonly waves: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly lastSeq: number;
  readonly hosts: readonly HostReport[];
  readonly summary: SummaryReport;
}

export interface HostReport {
  readonly name: string;
  readonly role: string | null;
  readonly site: string | null;
  readonly wave: number | null;
  readonly state: HostState;
  readonly attempt: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly bytes: number;
  /** When it reverts itself unless confirmed, ISO 8601. */
  readonly revertsAt: string | null;
  /** Why it was left alone, failed or reverted. */
  readonly reason: string | null;
  readonly failure: { readonly code: string; readonly message: string; readonly hint: string | null } | null;
}

export interface SummaryReport {
  readonly ok: number;
  readonly failed: number;
  readonly inHand: number;
  readonly deferred: number;
  readonly skipped: number;
  readonly pending: number;
  readonly bytes: number;
  /** The exit status the engine decided on; null when the stream ended before it did. */
  readonly exit: number | null;
  readonly next: readonly string[];
}

export function report(view: ViewState): RunReport {
  const { run } = view;
  const { plan } = run;
  return {
    run: plan.id,
    kind: kindOf(plan),
    fleet: plan.fleet,
    revision: plan.revision,
    planHash: plan.hash,
    state: run.status,
    reason: run.reason,
    detail: run.detail,
    wave: run.wave,
    waves: plan.waves.length,
    startedAt: new Date(run.startedAt).toISOString(),
    endedAt: run.endedAt === null ? null : new Date(run.endedAt).toISOString(),
    lastSeq: run.lastSeq,
    hosts: [...run.hosts.keys()].flatMap((name) => hostReport(view, plan, name, run.targets.get(name)) ?? []),
    summary: summary(view),
  };
}

function hostReport(
  view: ViewState,
  plan: Plan,
  name: string,
  planned: PlannedHost | undefined,
): HostReport | null {
  const host = view.run.hosts.get(name);
  if (!host) return null;
  const incident = view.incidents.get(name);
  const failure = incident ?? host.failure ?? null;
  return {
    name,
    role: planned?.role ?? null,
    site: planned?.site ?? null,
    wave: host.wave === 0 ? null : host.wave,
    state: host.state,
    attempt: host.attempt,
    from: host.previous ?? planned?.from ?? null,
    to: planned?.to ?? null,
    bytes: host.bytes,
    revertsAt: view.work.get(name)?.revertsAt ?? null,
    reason: failure?.message ?? plan.excluded.find((e) => e.host === name)?.reason ?? null,
    failure: failure && { code: failure.code, message: failure.message, hint: failure.hint ?? null },
  };
}

function summary(view: ViewState): SummaryReport {
  const t = tally(view.run.hosts.values());
  return {
    ok: t.ok,
    failed: t.failed,
    inHand: t.busy,
    deferred: t.deferred,
    skipped: t.skipped,
    pending: t.waiting,
    bytes: [...view.run.hosts.values()].reduce((sum, h) => sum + h.bytes, 0),
    exit: view.summary?.exit ?? null,
    next: nextCommands(view),
  };
}
