import postgres from "postgres";
import { FleetError } from "../../errors.ts";
import type { Origin } from "../records.ts";
import { SqlStore } from "../sql/store.ts";
import type { Store } from "../store.ts";
import { PostgresDatabase } from "./database.ts";
import { MIGRATIONS } from "./schema.ts";

const CONNECTIONS = 4;
const CONNECT_TIMEOUT_S = 10;
/** Any number that other users of the database are unlikely to lock too ("MFLT"). */
const MIGRATION_LOCK = 0x4d464c54;
/** PostgreSQL's int8; ours are times and counts, all below 2^53. */
const INT8 = 20;

/**
 * Opens (or creates) the tables in the database `url` names: `postgres://user@host/db`, with `?schema=NAME` for a
 * schema of its own (default `macula_fleet`; one per fleet) and `?host=/dir` for a socket. The password is best left
 * to `env.PGPASSWORD`. Errors: `usage`, `state-newer`, `store-unavailable`.
 */
export async function openPostgres(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
  migrations = MIGRATIONS,
): Promise<Store> {
  const { address, schema, socket, origin } = parse(url);
  const password = address.password === "" ? env.PGPASSWORD : undefined;
  const sql = postgres(address.href, {
    ...(socket === null ? {} : { host: socket }),
    ...(password === undefined ? {} : { password }),
    max: CONNECTIONS,
    connect_timeout: CONNECT_TIMEOUT_S,
    fetch_types: false,
    prepare: false,
    onnotice: () => {},
    connection: { application_name: "macula-fleet" },
    types: { bigint: { to: INT8, from: [INT8], parse: Number, serialize: String } },
  });
  const db = new PostgresDatabase(sql, `"${schema}"`, origin);
  try {
    await migrate(db, migrations);
    return new SqlStore(db);
  } catch (error) {
    await db.close();
    throw error;
  }
}

function parse(url: string) {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  const schema = address?.searchParams.get("schema") ?? "macula_fleet";
  // Not echoed: it may hold a password.
  if (address === undefined || !/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new FleetError("usage", "--state is not a valid postgres:// URL", {
      hint: "for example postgres://fleet@db.example.org/fleet?schema=gent",
    });
  }
  const socket = address.searchParams.get("host");
  address.searchParams.delete("schema");
  address.searchParams.delete("host");
  const user = address.username === "" ? "" : `${address.username}@`;
  const name = `postgres://${user}${socket ?? address.host}${address.pathname} (schema ${schema})`;
  const origin: Origin = { name, recovery: "stop every controller and restore the database from its backup" };
  return { address, schema, socket, origin };
}

async function migrate(db: PostgresDatabase, migrations: readonly string[]): Promise<void> {
  // Mostly there is nothing to do, and the user may not even be allowed to create tables.
  if ((await appliedVersion(db, migrations.length)) === migrations.length) return;
  await db.write(async (session) => {
    await session.all("SELECT pg_advisory_xact_lock(?)", MIGRATION_LOCK);
    await session.all(`CREATE SCHEMA IF NOT EXISTS ${db.schema}`);
    await session.all(`CREATE TABLE IF NOT EXISTS ${db.schema}.migration (version bigint PRIMARY KEY)`);
    const [row] = await session.all(`SELECT max(version) AS version FROM ${db.schema}.migration`);
    const applied = Number(row?.version ?? 0);
    for (const [i, step] of migrations.entries()) {
      if (i < applied) continue;
      for (const statement of step.replaceAll("SCHEMA.", `${db.schema}.`).split(";")) {
        if (statement.trim() !== "") await session.all(statement);
      }
      await session.all(`INSERT INTO ${db.schema}.migration (version) VALUES (?)`, i + 1);
    }
  });
}

async function appliedVersion(db: PostgresDatabase, known: number): Promise<number> {
  const version = await db.read(async (session) => {
    const [found] = await session.all("SELECT to_regclass(?) IS NOT NULL AS made", `${db.schema}.migration`);
    if (found?.made !== true) return 0;
    const [row] = await session.all(`SELECT max(version) AS version FROM ${db.schema}.migration`);
    return Number(row?.version ?? 0);
  });
  if (version <= known) return version;
  const message = `${db.origin.name} belongs to a newer macula-fleet (schema ${version}, this one knows ${known})`;
  throw new FleetError("state-newer", message, {
    hint: "update macula-fleet on this machine; nothing was changed",
    data: { version, known },
  });
}
