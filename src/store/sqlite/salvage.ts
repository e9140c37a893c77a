import { writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { EVENT_SCHEMA } from "../../rollout/events.ts";
import { readRun } from "../sql/rows.ts";

type Row = Readonly<Record<string, unknown>>;

/** Rows up to the first damaged page from the front, and then from the back. */
function readable(db: DatabaseSync, table: string, key: string): readonly Row[] {
  const rows = new Map<unknown, Row>();
  for (const direction of ["ASC", "DESC"]) {
    try {
      const found = db
        .prepare(`SELECT rowid AS place, * FROM ${table} ORDER BY ${key} ${direction}`)
        .iterate();
      for (const row of found) {
        if (direction === "DESC" && rows.has(row.place)) break;
        rows.set(row.place, row);
      }
    } catch {
      // What this direction cannot reach, the other one may.
    }
  }
  return [...rows.values()].sort((a, b) => Number(a.place) - Number(b.place));
}

function* lines(path: string): Generator<string> {
  using db = new DatabaseSync(path, { readOnly: true, defensive: false });
  // SQLite's own way to look into a file it would otherwise refuse as a whole, such as one cut short.
  db.exec("PRAGMA writable_schema = ON");
  const origin = { name: path, recovery: "" };
  for (const row of readable(db, "run", "rowid")) {
    try {
      yield JSON.stringify({ type: "run", ...readRun(row, origin) });
    } catch {
      // A damaged row; its events may still be there.
    }
  }
  for (const row of readable(db, "event", "rowid")) yield String(row.body);
  for (const row of readable(db, "host", "rowid")) yield `{"type":"host","record":${String(row.body)}}`;
}

/**
 * Writes what a damaged state file still says as ndjson beside it and returns that file's name; undefined when
 * nothing could be read. The damaged file itself is only read; an earlier rescue is kept.
 */
export function salvage(path: string): string | undefined {
  const rescued = `${path}.readable.ndjson`;
  try {
    const found = [...lines(path)];
    if (found.length === 0) return undefined;
    const head = JSON.stringify({ type: "version", schema: EVENT_SCHEMA, tool: "macula-fleet" });
    writeFileSync(rescued, `${[head, ...found].join("\n")}\n`, { flag: "wx", mode: 0o600 });
    return rescued;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EEXIST" ? rescued : undefined;
  }
}
