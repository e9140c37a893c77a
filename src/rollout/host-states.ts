/** `--limit state=…`: what the store remembers of hosts, as selector states. Pure. */
import type { HostRecord } from "../store/store.ts";

export function hostStates(records: ReadonlyMap<string, HostRecord>): (name: string) => readonly string[] {
  return (name) => {
    const record = records.get(name);
    if (!record) return [];
    return [
      ...(record.outcome === "failed" || record.outcome === "reverted" ? ["failed"] : []),
      ...(record.owes !== undefined || record.outcome === "deferred" ? ["deferred", "outdated"] : []),
    ];
  };
}
