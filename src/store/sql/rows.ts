import { type Origin, type Placed, RunRecordSchema, readRow } from "../records.ts";
import type { RunRecord } from "../store.ts";
import type { SqlRow, SqlSession, SqlValue } from "./database.ts";

export const RUN_COLUMNS =
  "id, kind, revision, state, reverts, operator, created_at, updated_at, last_seq, hosts";

/** In the order of `RUN_COLUMNS`. */
export function runValues(run: RunRecord): readonly SqlValue[] {
  const { id, kind, revision, state, operator, createdAt, updatedAt, lastSeq, hosts } = run;
  return [id, kind, revision, state, run.reverts ?? null, operator, createdAt, updatedAt, lastSeq, hosts];
}

export function readRun(row: SqlRow, origin: Origin): RunRecord {
  const { created_at: createdAt, updated_at: updatedAt, last_seq: lastSeq, reverts, ...rest } = row;
  const record = { ...rest, createdAt, updatedAt, lastSeq, ...(reverts === null ? {} : { reverts }) };
  return readRow(RunRecordSchema, record, origin, `run ${String(row.id)}`, { run: row.id });
}

/** `?, ?, ?` */
export function marks(count: number): string {
  return Array.from({ length: count }, () => "?").join(", ");
}

const ROWS_PER_INSERT = 100;

/** Many rows per statement: a plan's first append may hold thousands of events. */
export async function insertEvents(
  session: SqlSession,
  schema: string,
  run: string,
  placed: readonly Placed[],
): Promise<void> {
  for (let at = 0; at < placed.length; at += ROWS_PER_INSERT) {
    const chunk = placed.slice(at, at + ROWS_PER_INSERT);
    const values = chunk.flatMap(({ event, text }): SqlValue[] => [run, event.seq, text]);
    const rows = chunk.map(() => "(?, ?, ?)").join(", ");
    await session.all(`INSERT INTO ${schema}.event (run, seq, body) VALUES ${rows}`, ...values);
  }
}
