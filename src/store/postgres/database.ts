import type postgres from "postgres";
import type { Origin } from "../records.ts";
import type { SqlDatabase, SqlSession } from "../sql/database.ts";
import { isConflict, postgresFailure } from "./failure.ts";

const ATTEMPTS = 5;
const CLOSE_SECONDS = 5;

/**
 * A wait for somebody's lock ends, and a server set to acknowledge before it has written is told not to:
 * "appended" has to mean that a crash keeps it.
 */
const GUARDS = `SELECT set_config('lock_timeout', '10s', true),
  CASE WHEN current_setting('synchronous_commit') = 'off'
    THEN set_config('synchronous_commit', 'on', true) END`;

/** A pool of connections; works through a transaction-pooling proxy too (no session state, no prepared statements). */
export class PostgresDatabase implements SqlDatabase {
  readonly schema: string;
  readonly lockRows = " FOR UPDATE";
  readonly origin: Origin;
  readonly #sql: postgres.Sql;

  /** `schema`: quoted. */
  constructor(sql: postgres.Sql, schema: string, origin: Origin) {
    this.#sql = sql;
    this.schema = schema;
    this.origin = origin;
  }

  read<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    return this.#transaction("isolation level repeatable read read only", work);
  }

  write<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    return this.#transaction("isolation level read committed read write", async (session) => {
      await session.all(GUARDS);
      return work(session);
    });
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: CLOSE_SECONDS });
  }

  async #transaction<T>(mode: string, work: (session: SqlSession) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        // Boxed, because the driver treats an array that comes back as a list of queries.
        const { result } = await this.#sql.begin(mode, async (sql) => ({ result: await work(session(sql)) }));
        return result;
      } catch (error) {
        if (isConflict(error) && attempt < ATTEMPTS) continue;
        throw postgresFailure(error, this.origin);
      }
    }
  }
}

function session(sql: postgres.TransactionSql): SqlSession {
  return {
    all: async (text, ...parameters) => {
      let n = 0;
      const numbered = text.replaceAll("?", () => `$${++n}`);
      return [...(await sql.unsafe(numbered, [...parameters]))];
    },
  };
}
