/** `status`: what every host runs now, or ran when it was last seen. Pure. */
import type { Failure } from "../errors.ts";
import type { Observation } from "../host/protocol.ts";
import type { Host } from "../inventory/model.ts";
import { findingsOf } from "../operate/findings.ts";
import { isAtRest } from "../rollout/at-rest.ts";
import type { HostRecord } from "../store/store.ts";
import { type Column, renderTable } from "./table.ts";
import { duration, shortRevision, systemVersion } from "./view/format.ts";

/** What is known of one host. `observation` and `failure` are both absent when it was not asked. */
export interface KnownHost {
  readonly host: Pick<Host, "name" | "role" | "site" | "arch" | "state">;
  readonly record: HostRecord | undefined;
  readonly observation?: Observation;
  readonly kernel?: string;
  readonly failure?: Failure;
}

/** One host of `status -o json`. Paths are store paths; `seenAt` is ISO 8601. */
export interface HostStatus {
  readonly host: string;
  readonly role: string;
  readonly site: string | null;
  readonly arch: string;
  /** `unasked`: planned, retired, pulling, or `--offline`; `error`: it answered, but refused. */
  readonly reach: "ok" | "unreachable" | "error" | "unasked";
  readonly revision: string | null;
  readonly generation: number | null;
  readonly kernel: string | null;
  readonly current: string | null;
  readonly booted: string | null;
  readonly profile: string | null;
  readonly failedUnits: readonly string[] | null;
  readonly uptimeSeconds: number | null;
  readonly seenAt: string | null;
  readonly notes: readonly string[];
  readonly error: Failure | null;
}

export function hostStatus(known: KnownHost, now: number): HostStatus {
  const { host, record, observation: o, failure } = known;
  const current = o?.current ?? record?.current ?? null;
  const seenAt = o ? now : record?.seenAt;
  return {
    host: host.name,
    role: host.role,
    site: host.site,
    arch: host.arch,
    reach: o ? "ok" : failure ? (failure.transient ? "unreachable" : "error") : "unasked",
    revision: revisionOf(host.name, current, record),
    generation: o ? o.generation : (record?.generation ?? null),
    kernel: known.kernel ?? null,
    current,
    booted: o?.booted ?? null,
    profile: o?.profile ?? null,
    failedUnits: o?.failedUnits ?? null,
    uptimeSeconds: o?.uptime ?? null,
    seenAt: seenAt === undefined ? null : new Date(seenAt).toISOString(),
    notes: notesOf(known, now),
    error: failure ?? null,
  };
}

/** The revision it was given; for a system nobody here rolled out, what that calls itself. */
function revisionOf(host: string, current: string | null, record: HostRecord | undefined): string | null {
  if (current === null || current === "") return record?.revision ?? null;
  if (record?.revision !== undefined && (record.lastHealthy ?? record.current) === current)
    return record.revision;
  return systemVersion(current, host) ?? /^\/nix\/store\/(.{7})/.exec(current)?.[1] ?? null;
}

function notesOf({ host, record, observation: o, failure }: KnownHost, now: number): readonly string[] {
  const { held, owes, outcome, outcomeRun, unsettled } = record ?? {};
  const state = o?.state;
  const notes = [
    host.state === "active" ? null : host.state,
    failure && (failure.transient ? "out of reach" : failure.code),
    o && o.current === "" ? (o.os.variant === "installer" ? "in an installer" : "not NixOS yet") : null,
    ...(o ? findingsOf(host.name, o, record).map((f) => f.short) : []),
    o?.hold ? `held on the host by ${o.hold.by}: ${o.hold.reason}` : null,
    held && o?.hold?.reason !== held.reason ? `held by ${held.by}: ${held.reason}` : null,
    o?.lock ? `locked by ${o.lock.by}: ${o.lock.reason}` : null,
    state?.phase === "reverted" && outcome !== "updated"
      ? `reverted ${state.rollout}${state.reason ? ` (${state.reason})` : ""}`
      : outcome === "reverted" || outcome === "failed"
        ? `${outcome}${outcomeRun ? ` in ${outcomeRun}` : ""}`
        : null,
    unsettled && !(o && isAtRest(o))
      ? `left in flight by ${unsettled.run}: unavailable until it is seen at rest`
      : null,
    owes ? `owes ${shortRevision(owes.revision)} since ${duration(now - owes.since)}` : null,
  ];
  return notes.filter((n) => n !== null && n !== undefined && n !== "") as string[];
}

export function statusTable(
  rows: readonly HostStatus[],
  o: { readonly now: number; readonly wide?: boolean },
): string {
  const columns: readonly Column<HostStatus>[] = [
    { head: "host", cell: (r) => r.host },
    { head: "role", cell: (r) => r.role },
    { head: "site", cell: (r) => r.site },
    { head: "arch", cell: (r) => r.arch.replace(/-linux$/, ""), wide: true },
    { head: "rev", cell: (r) => (r.revision ? shortRevision(r.revision) : null) },
    { head: "gen", cell: (r) => r.generation, align: "right" },
    { head: "kernel", cell: (r) => r.kernel },
    { head: "health", cell: health },
    { head: "seen", cell: (r) => seen(r, o.now) },
    { head: "system", cell: (r) => r.current, wide: true },
    {
      head: "booted",
      cell: (r) => (r.booted !== null && r.booted === r.current ? "same" : r.booted),
      wide: true,
    },
    {
      head: "up",
      cell: (r) => (r.uptimeSeconds === null ? null : duration(r.uptimeSeconds * 1000)),
      wide: true,
    },
    { head: "note", cell: (r) => r.notes.join("; ") },
  ];
  return renderTable(rows, columns, o);
}

function health(r: HostStatus): string {
  if (r.reach === "unreachable" || r.reach === "error") return r.reach;
  if (r.failedUnits === null) return "unknown";
  return r.failedUnits.length === 0 ? "ok" : "degraded";
}

function seen(r: HostStatus, now: number): string {
  if (r.reach === "ok") return "now";
  return r.seenAt === null ? "never" : `${duration(now - Date.parse(r.seenAt))} ago`;
}
