import type { Origin } from "../records.ts";

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, unknown>>;

/** Statements inside one transaction; parameters are `?`, in order. */
export interface SqlSession {
  all(sql: string, ...parameters: readonly SqlValue[]): Promise<readonly SqlRow[]>;
}

/**
 * What `SqlStore` needs of a database. Errors of the database come out as `store-unavailable` or `state-corrupt`;
 * whatever `work` throws comes out as it is, after a roll-back.
 */
export interface SqlDatabase {
  /** Prefix of every table, quoted. */
  readonly schema: string;
  /** Appended to a SELECT whose rows this transaction is going to change. */
  readonly lockRows: "" | " FOR UPDATE";
  readonly origin: Origin;
  /** One consistent snapshot. */
  read<T>(work: (session: SqlSession) => Promise<T>): Promise<T>;
  /** One durable transaction: resolved means that it survives a crash. */
  write<T>(work: (session: SqlSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
