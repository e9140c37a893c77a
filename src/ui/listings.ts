import type { Host } from "../inventory/model.ts";
import type { HostRecord, RunRecord } from "../store/store.ts";
import { type Column, renderTable } from "./table.ts";
import { duration, shortRevision } from "./view/format.ts";

export interface ListingOptions {
  readonly now: number;
  readonly wide?: boolean;
}

/** `rollout history`: newest first, as the store returns them. */
export function historyTable(runs: readonly RunRecord[], o: ListingOptions): string {
  const columns: readonly Column<RunRecord>[] = [
    { head: "run", cell: (r) => r.id },
    { head: "kind", cell: (r) => (r.reverts === undefined ? r.kind : `undo of ${r.reverts}`) },
    { head: "revision", cell: (r) => shortRevision(r.revision) },
    { head: "state", cell: (r) => r.state.replaceAll("_", " ") },
    { head: "hosts", cell: (r) => r.hosts, align: "right" },
    { head: "age", cell: (r) => duration(o.now - r.createdAt) },
    { head: "took", cell: (r) => duration(r.updatedAt - r.createdAt), wide: true },
    { head: "operator", cell: (r) => r.operator, wide: true },
    { head: "events", cell: (r) => r.lastSeq, align: "right", wide: true },
  ];
  return renderTable(runs, columns, o);
}

export interface HostRow {
  readonly host: Pick<Host, "name" | "role" | "site" | "arch">;
  readonly record: HostRecord | undefined;
}

/** `status`: what is known of every host; unreachable is not unknown, so the last known is shown with its age. */
export function hostTable(rows: readonly HostRow[], o: ListingOptions): string {
  const columns: readonly Column<HostRow>[] = [
    { head: "host", cell: (r) => r.host.name },
    { head: "role", cell: (r) => r.host.role },
    { head: "site", cell: (r) => r.host.site },
    { head: "arch", cell: (r) => r.host.arch.replace(/-linux$/, ""), wide: true },
    { head: "rev", cell: (r) => (r.record?.revision ? shortRevision(r.record.revision) : null) },
    { head: "gen", cell: (r) => r.record?.generation, align: "right" },
    { head: "last run", cell: (r) => outcome(r.record) },
    { head: "seen", cell: (r) => (r.record?.seenAt === undefined ? "never" : ago(r.record.seenAt, o.now)) },
    { head: "system", cell: (r) => r.record?.current, wide: true },
    { head: "note", cell: (r) => note(r.record, o.now) },
  ];
  return renderTable(rows, columns, o);
}

const ago = (at: number, now: number): string => `${duration(now - at)} ago`;

function outcome(record: HostRecord | undefined): string | null {
  if (record?.outcome === undefined) return null;
  return record.outcomeRun === undefined ? record.outcome : `${record.outcome} (${record.outcomeRun})`;
}

function note(record: HostRecord | undefined, now: number): string | null {
  const held = record?.held && `held by ${record.held.by}: ${record.held.reason}`;
  const owes =
    record?.owes && `owes ${shortRevision(record.owes.revision)} since ${duration(now - record.owes.since)}`;
  return [held, owes].filter(Boolean).join("; ") || null;
}
