import { rename, rm } from "node:fs/promises";
import { backup, type DatabaseSync, type StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Origin } from "../records.ts";
import type { SqlDatabase, SqlRow, SqlSession, SqlValue } from "../sql/database.ts";
import { isBusy, sqliteFailure } from "./failure.ts";

/** Waiting inside SQLite stops the whole process, so it is kept short and repeated from outside: 10 s altogether. */
export const BUSY_TIMEOUT_MS = 50;
const BUSY_PAUSE_MS = 50;
const BUSY_ATTEMPTS = 100;

/** In one step: a copy in several begins anew whenever another process writes in between, maybe for ever. */
export const ALL_PAGES = 0x7fffffff;

/** Where a copy is put after each use that wrote something. */
export function backupPath(path: string): string {
  return `${path}.backup`;
}

/** One connection; transactions take turns, because statements of two would mix on it. */
export class SqliteDatabase implements SqlDatabase {
  readonly schema = "main";
  readonly lockRows = "";
  readonly origin: Origin;
  readonly #connection: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  readonly #session: SqlSession;
  #last: Promise<unknown> = Promise.resolve();
  #wrote = false;

  constructor(connection: DatabaseSync, path: string, origin: Origin) {
    this.#connection = connection;
    this.#path = path;
    this.origin = origin;
    this.#session = { all: async (sql, ...parameters) => this.#all(sql, parameters) };
  }

  read<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    return this.#transaction("BEGIN", work);
  }

  async write<T>(work: (session: SqlSession) => Promise<T>): Promise<T> {
    // The write lock is taken at once: a snapshot that turns writer later could only fail.
    const result = await this.#transaction("BEGIN IMMEDIATE", work);
    this.#wrote = true;
    return result;
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#connection.isOpen) return;
      if (this.#wrote) await this.#copy();
      this.#connection.close();
    });
  }

  #transaction<T>(begin: string, work: (session: SqlSession) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      try {
        await whenFree(() => this.#connection.exec(begin));
        try {
          const result = await work(this.#session);
          this.#connection.exec("COMMIT");
          return result;
        } catch (error) {
          // Some failures (a full disk) have rolled back already.
          if (this.#connection.isTransaction) this.#connection.exec("ROLLBACK");
          throw error;
        }
      } catch (error) {
        throw sqliteFailure(error, this.origin);
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #all(sql: string, parameters: readonly SqlValue[]): readonly SqlRow[] {
    const statement = this.#statements.get(sql) ?? this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement.all(...parameters);
  }

  /** Best effort: the journal itself is safe already, and closing must not fail for want of a second copy. */
  async #copy(): Promise<void> {
    const half = `${backupPath(this.#path)}.${process.pid}`;
    try {
      await backup(this.#connection, half, { rate: ALL_PAGES });
      await rename(half, backupPath(this.#path));
    } catch {
      await rm(half, { force: true });
    }
  }
}

/** Repeats `statement` while another process writes; nothing of it has happened when SQLite says busy. */
export async function whenFree(statement: () => void): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return statement();
    } catch (error) {
      if (!isBusy(error) || attempt === BUSY_ATTEMPTS) throw error;
      await sleep(BUSY_PAUSE_MS);
    }
  }
}
