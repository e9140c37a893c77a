import { existsSync } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { FleetError } from "../../errors.ts";
import { corrupt, type Origin } from "../records.ts";
import { SqlStore } from "../sql/store.ts";
import type { Store } from "../store.ts";
import { ALL_PAGES, BUSY_TIMEOUT_MS, backupPath, SqliteDatabase, whenFree } from "./database.ts";
import { sqliteFailure } from "./failure.ts";
import { salvage } from "./salvage.ts";
import { APPLICATION_ID, MIGRATIONS } from "./schema.ts";

/** Above this size the check of every page at opening would be felt; damage is then met where it is read. */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;

/**
 * Opens (or creates, 0600 in a 0700 directory) the state file `file`, which must be on a local file system.
 * Safe for several processes. Errors: `state-corrupt`, `state-newer` (the file is left as it is), `store-unavailable`.
 */
export async function openSqlite(file: string, migrations = MIGRATIONS): Promise<Store> {
  // Absolute for the messages, and because SQLite gives names like ":memory:" a meaning of their own.
  const path = resolve(file);
  const origin = { name: path, recovery: recovery(path) };
  await prepareFile(path);
  let connection: DatabaseSync | undefined;
  try {
    const { size } = await stat(path);
    if (size > 0) inspect(path, size, migrations.length, origin);
    connection = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    const db = connection;
    await whenFree(() => db.exec("PRAGMA journal_mode = WAL"));
    db.exec("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    await migrate(db, path, migrations, origin);
    return new SqlStore(new SqliteDatabase(db, path, origin));
  } catch (error) {
    connection?.close();
    const failure = sqliteFailure(error, origin);
    throw failure instanceof FleetError && failure.code === "state-corrupt"
      ? rescued(failure, path)
      : failure;
  }
}

async function prepareFile(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await (await open(path, "a", 0o600)).close();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new FleetError("store-unavailable", `${path}: ${why}`, {
      hint: "choose a place this user can write to with --state",
      cause: error,
    });
  }
}

/** Looks before anything is written: a read-only connection cannot even check-point. */
function inspect(path: string, size: number, known: number, origin: Origin): void {
  using db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  const version = pragma(db, "user_version");
  const id = pragma(db, "application_id");
  const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.n;
  const fresh = version === 0 && id === 0 && tables === 0;
  if (!fresh && id !== APPLICATION_ID) throw corrupt(origin, "is a database, but not macula-fleet's");
  requireKnown(version, known, origin);
  if (size > FULL_CHECK_BYTES) return;
  const verdict = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
  if (verdict !== "ok") throw corrupt(origin, `the state file is damaged (${String(verdict)})`);
}

function requireKnown(version: number, known: number, origin: Origin): void {
  if (version <= known) return;
  const message = `${origin.name} was written by a newer macula-fleet (schema ${version}, this one knows ${known})`;
  throw new FleetError("state-newer", message, {
    hint: "update macula-fleet on this machine; the file was not touched",
    data: { path: origin.name, version, known },
  });
}

async function migrate(
  db: DatabaseSync,
  path: string,
  migrations: readonly string[],
  origin: Origin,
): Promise<void> {
  const before = pragma(db, "user_version");
  if (before === migrations.length) return;
  if (before > 0) await backup(db, `${path}.schema-${before}`, { rate: ALL_PAGES });
  await whenFree(() => db.exec("BEGIN IMMEDIATE"));
  // Another process may have migrated while this one waited.
  const version = pragma(db, "user_version");
  requireKnown(version, migrations.length, origin);
  for (const step of migrations.slice(version)) db.exec(step);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}; COMMIT`);
}

function pragma(db: DatabaseSync, name: "user_version" | "application_id"): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function recovery(path: string): string {
  const copy = backupPath(path);
  return existsSync(copy)
    ? `stop every controller, move the file aside and copy ${copy} (made after its last use) in its place`
    : "stop every controller and move the file aside; a new one is made, and hosts are asked again what they run";
}

function rescued(failure: FleetError, path: string): FleetError {
  const readable = salvage(path);
  const rest =
    readable === undefined ? "nothing in it could be read" : `what could be read is in ${readable}`;
  return new FleetError(failure.code, failure.message, {
    hint: `the file was not touched: ${failure.hint}; ${rest}`,
    data: { ...failure.data, path, ...(readable === undefined ? {} : { readable }) },
    cause: failure.cause,
  });
}
