import { type EventBody, type FleetEvent, TERMINAL_STATES } from "../../rollout/events.ts";
import {
  CommandSchema,
  HostRecordSchema,
  isRepeat,
  leaseLost,
  mergeHost,
  overtaken,
  place,
  RunRecordSchema,
  readEvents,
  readRow,
  runExists,
  runLease,
  stateAfter,
  unknownRun,
  writtenJournal,
} from "../records.ts";
import type { HostChange, HostRecord, Lease, PendingCommand, RunId, RunRecord, Store } from "../store.ts";
import type { SqlDatabase, SqlSession } from "./database.ts";
import { insertEvents, marks, RUN_COLUMNS, readRun, runValues } from "./rows.ts";

/** The store in SQL that SQLite and PostgreSQL both speak; what differs is behind `SqlDatabase`. */
export class SqlStore implements Store {
  readonly #db: SqlDatabase;
  readonly #schema: string;

  constructor(db: SqlDatabase) {
    this.#db = db;
    this.#schema = db.schema;
  }

  create(run: Omit<RunRecord, "lastSeq" | "updatedAt">): Promise<void> {
    return this.adopt({ ...run, lastSeq: 0, updatedAt: run.createdAt }, []);
  }

  async adopt(run: RunRecord, events: readonly FleetEvent[]): Promise<void> {
    const values = runValues(RunRecordSchema.parse(run));
    const placed = writtenJournal(run, events);
    await this.#db.write(async (session) => {
      const created = await session.all(
        `INSERT INTO ${this.#schema}.run (${RUN_COLUMNS}) VALUES (${marks(values.length)})
         ON CONFLICT (id) DO NOTHING RETURNING id`,
        ...values,
      );
      if (created.length === 0) throw runExists(run.id);
      await insertEvents(session, this.#schema, run.id, placed);
    });
  }

  append(
    run: RunId,
    expectedSeq: number,
    bodies: readonly EventBody[],
    o: Parameters<Store["append"]>[3],
  ): Promise<readonly FleetEvent[]> {
    return this.#db.write(async (session) => {
      const record = await this.#locked(session, run);
      if (o.fence !== undefined) await this.#requireFence(session, runLease(run), o.fence);
      const placed = place(run, expectedSeq, bodies, o.now);
      const result = placed.map((p) => p.event);
      if (record.lastSeq !== expectedSeq) {
        const later = o.fence === undefined ? [] : await this.#texts(session, run, expectedSeq);
        if (isRepeat(placed, later)) return result;
        throw overtaken(run, expectedSeq, record.lastSeq);
      }
      await insertEvents(session, this.#schema, run, placed);
      await session.all(
        `UPDATE ${this.#schema}.run SET state = ?, last_seq = ?, updated_at = ? WHERE id = ?`,
        o.state ?? stateAfter(bodies) ?? record.state,
        expectedSeq + placed.length,
        o.now,
        run,
      );
      await this.#acknowledge(session, run, o.acknowledge ?? []);
      // In one order, or two runs with hosts in common would wait for each other.
      for (const change of (o.hosts ?? []).toSorted((a, b) =>
        a.host < b.host ? -1 : a.host > b.host ? 1 : 0,
      ))
        await this.#putHost(session, change);
      return result;
    });
  }

  events(run: RunId, sinceSeq = 0): Promise<readonly FleetEvent[]> {
    return this.#db.read(async (session) => {
      const [record] = await session.all(`SELECT last_seq FROM ${this.#schema}.run WHERE id = ?`, run);
      const rows = await session.all(
        `SELECT seq, body FROM ${this.#schema}.event WHERE run = ? AND seq > ? ORDER BY seq`,
        run,
        sinceSeq,
      );
      const found = rows.map(({ seq, body }) => ({ seq, body }));
      return readEvents(run, found, sinceSeq, Number(record?.last_seq ?? 0), this.#db.origin);
    });
  }

  runs(query: Parameters<Store["runs"]>[0] = {}): Promise<readonly RunRecord[]> {
    const terminal = [...TERMINAL_STATES];
    const where = ["1 = 1"];
    if (query.kind !== undefined) where.push("kind = ?");
    if (query.active !== undefined) {
      where.push(`state ${query.active ? "NOT IN" : "IN"} (${marks(terminal.length)})`);
    }
    return this.#db.read(async (session) => {
      const rows = await session.all(
        `SELECT ${RUN_COLUMNS} FROM ${this.#schema}.run WHERE ${where.join(" AND ")}
         ORDER BY created_at DESC, position DESC LIMIT ?`,
        ...(query.kind === undefined ? [] : [query.kind]),
        ...(query.active === undefined ? [] : terminal),
        query.limit ?? Number.MAX_SAFE_INTEGER,
      );
      return rows.map((row) => readRun(row, this.#db.origin));
    });
  }

  run(id: RunId): Promise<RunRecord | null> {
    return this.#db.read(async (session) => {
      const [row] = await session.all(`SELECT ${RUN_COLUMNS} FROM ${this.#schema}.run WHERE id = ?`, id);
      return row === undefined ? null : readRun(row, this.#db.origin);
    });
  }

  // A released lease keeps its row: its fence must go on growing.
  async lease(key: string, owner: string, ttlMs: number, now: number, above = 0): Promise<Lease | null> {
    const expiresAt = now + ttlMs;
    const [granted] = await this.#write(
      `INSERT INTO ${this.#schema}.lease AS last (key, owner, fence, expires_at, held)
       VALUES (?, ?, (SELECT coalesce(max(CASE WHEN fence > ? THEN fence END), ?) + 1 FROM ${this.#schema}.lease), ?, 1)
       ON CONFLICT (key) DO UPDATE
         SET owner = excluded.owner, fence = excluded.fence, expires_at = excluded.expires_at, held = 1
         WHERE last.held = 0 OR last.expires_at <= ?
       RETURNING fence`,
      [key, owner, above, above, expiresAt, now],
    );
    return granted === undefined ? null : { key, owner, fence: Number(granted.fence), expiresAt };
  }

  async renew(lease: Lease, ttlMs: number, now: number): Promise<Lease> {
    const expiresAt = now + ttlMs;
    const renewed = await this.#write(
      `UPDATE ${this.#schema}.lease SET expires_at = ?
       WHERE key = ? AND owner = ? AND fence = ? AND held = 1 RETURNING key`,
      [expiresAt, lease.key, lease.owner, lease.fence],
    );
    if (renewed.length === 0) throw leaseLost(lease.key, lease.fence);
    return { ...lease, expiresAt };
  }

  async release(lease: Lease): Promise<void> {
    await this.#write(`UPDATE ${this.#schema}.lease SET held = 0 WHERE key = ? AND owner = ? AND fence = ?`, [
      lease.key,
      lease.owner,
      lease.fence,
    ]);
  }

  holder(key: string, now: number): Promise<Lease | null> {
    return this.#db.read(async (session) => {
      const [row] = await session.all(
        `SELECT owner, fence, expires_at FROM ${this.#schema}.lease WHERE key = ? AND held = 1 AND expires_at > ?`,
        key,
        now,
      );
      if (row === undefined) return null;
      return { key, owner: String(row.owner), fence: Number(row.fence), expiresAt: Number(row.expires_at) };
    });
  }

  submit(run: RunId, command: Omit<PendingCommand, "id">): Promise<void> {
    const body = JSON.stringify(CommandSchema.parse(command));
    return this.#db.write(async (session) => {
      await this.#locked(session, run);
      await session.all(`INSERT INTO ${this.#schema}.command (run, body, done) VALUES (?, ?, 0)`, run, body);
    });
  }

  pending(run: RunId): Promise<readonly PendingCommand[]> {
    return this.#db.read(async (session) => {
      const rows = await session.all(
        `SELECT id, body FROM ${this.#schema}.command WHERE run = ? AND done = 0 ORDER BY id`,
        run,
      );
      return rows.map(({ id, body }) => ({
        id: Number(id),
        ...readRow(CommandSchema, body, this.#db.origin, `command ${String(id)} to run ${run}`, { run }),
      }));
    });
  }

  acknowledge(run: RunId, ids: readonly number[]): Promise<void> {
    return this.#db.write((session) => this.#acknowledge(session, run, ids));
  }

  hosts(): Promise<ReadonlyMap<string, HostRecord>> {
    return this.#db.read(async (session) => {
      const rows = await session.all(`SELECT host, body FROM ${this.#schema}.host ORDER BY host`);
      return new Map(rows.map(({ host, body }) => [String(host), this.#host(host, body)]));
    });
  }

  putHost(change: HostChange): Promise<void> {
    return this.#db.write((session) => this.#putHost(session, change));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#db.close();
  }

  #write(sql: string, parameters: readonly (string | number)[]) {
    return this.#db.write((session) => session.all(sql, ...parameters));
  }

  async #putHost(session: SqlSession, change: HostChange): Promise<void> {
    const { host } = change;
    // First make sure that there is a row to lock: two controllers may meet a host at the same moment.
    await session.all(
      `INSERT INTO ${this.#schema}.host (host, body) VALUES (?, ?) ON CONFLICT (host) DO NOTHING`,
      host,
      JSON.stringify({ host }),
    );
    const [row] = await session.all(
      `SELECT body FROM ${this.#schema}.host WHERE host = ?${this.#db.lockRows}`,
      host,
    );
    const merged = mergeHost(this.#host(host, row?.body), change);
    await session.all(
      `UPDATE ${this.#schema}.host SET body = ? WHERE host = ?`,
      JSON.stringify(merged),
      host,
    );
  }

  #host(host: unknown, body: unknown): HostRecord {
    return readRow(HostRecordSchema, body, this.#db.origin, `what is known of host ${String(host)}`, {
      host,
    });
  }

  async #locked(session: SqlSession, run: RunId): Promise<RunRecord> {
    const sql = `SELECT ${RUN_COLUMNS} FROM ${this.#schema}.run WHERE id = ?${this.#db.lockRows}`;
    const [row] = await session.all(sql, run);
    if (row === undefined) throw unknownRun(run);
    return readRun(row, this.#db.origin);
  }

  async #texts(session: SqlSession, run: RunId, sinceSeq: number): Promise<readonly unknown[]> {
    const sql = `SELECT body FROM ${this.#schema}.event WHERE run = ? AND seq > ? ORDER BY seq`;
    return (await session.all(sql, run, sinceSeq)).map((row) => row.body);
  }

  /** Locks the lease's row too: a take-over has to wait for the transaction that was checked against it. */
  async #requireFence(session: SqlSession, key: string, fence: number): Promise<void> {
    const sql = `SELECT fence FROM ${this.#schema}.lease WHERE key = ? AND held = 1${this.#db.lockRows}`;
    const [row] = await session.all(sql, key);
    if (row?.fence !== fence) throw leaseLost(key, fence);
  }

  async #acknowledge(session: SqlSession, run: RunId, ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      await session.all(`UPDATE ${this.#schema}.command SET done = 1 WHERE run = ? AND id = ?`, run, id);
    }
  }
}
