import type { RunRecord } from "../store/store.ts";
import { type Column, renderTable } from "./table.ts";
import { duration, shortRevision } from "./view/format.ts";

interface ListingOptions {
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
