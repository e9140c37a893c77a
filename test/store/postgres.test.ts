import postgres from "postgres";
import { afterAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/store/open.ts";
import { openPostgres } from "../../src/store/postgres/open.ts";
import { MIGRATIONS } from "../../src/store/postgres/schema.ts";
import { storeContract } from "../contract/store.ts";
import { log, newRun, T0 } from "../contract/store-bodies.ts";
import { failsWith } from "../contract/store-subject.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const server = await startPostgres();
if (typeof server === "string") {
  // For a machine that is meant to have it: a skipped contract must not look like a kept one there.
  if (process.env.REQUIRE_POSTGRES === "1") throw new Error(server);
  console.warn(`store contract on PostgreSQL skipped: ${server}`);
  test.skip(`store contract: postgres (${server})`, () => {});
} else {
  afterAll(() => server.dispose());
  let schemas = 0;
  const freshUrl = () => server.url(`test_${++schemas}`);
  storeContract("postgres", async () => {
    const url = freshUrl();
    let store = await openStore(url, { env: {} });
    return {
      store,
      again: async () => {
        await store[Symbol.asyncDispose]();
        store = await openStore(url, { env: {} });
        return store;
      },
      dispose: async () => store[Symbol.asyncDispose](),
    };
  });
  beyondTheContract(server, freshUrl);
}

/** Waits until so many statements wait for a lock; the test's time-out ends it when they never do. */
async function blockedWriters(sql: postgres.Sql, count: number): Promise<void> {
  for (;;) {
    const [row] = await sql`SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND application_name = 'macula-fleet'`;
    if (row?.n === count) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function beyondTheContract(server: PostgresServer, freshUrl: () => string): void {
  describe("PostgreSQL", () => {
    const env = {};
    const direct = () =>
      postgres({
        host: new URL(server.url("x")).searchParams.get("host") ?? "",
        user: "fleet",
        database: "postgres",
      });
    const schemaOf = (url: string) => new URL(url).searchParams.get("schema");

    test("makes its tables once, whoever comes first", async () => {
      const url = freshUrl();
      const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(url, { env })));
      await stores[0]?.create(newRun("r-1"));
      for (const store of stores) expect(await store.run("r-1")).not.toBeNull();
      await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
    });

    test("keeps fleets apart by schema", async () => {
      await using one = await openStore(freshUrl(), { env });
      await using two = await openStore(freshUrl(), { env });
      await one.create(newRun("r-1"));
      expect(await two.runs()).toEqual([]);
    });

    test("lets controllers on different machines write by turns, without a gap", async () => {
      const url = freshUrl();
      await using one = await openStore(url, { env });
      await using two = await openStore(url, { env });
      await one.create(newRun("r-1"));
      const writer = async (store: typeof one) => {
        for (let done = 0; done < 20; ) {
          const at = (await store.run("r-1"))?.lastSeq ?? 0;
          const won = await store.append("r-1", at, [log("x")], { now: T0 }).then(
            () => true,
            (error: unknown) => {
              expect(error).toEqual(failsWith("lease-lost"));
              return false;
            },
          );
          if (won) done += 1;
        }
      };
      await Promise.all([writer(one), writer(two)]);
      expect((await one.events("r-1")).map((e) => e.seq)).toEqual(
        Array.from({ length: 40 }, (_, i) => i + 1),
      );
    });

    test("makes a take-over wait for an append that was checked against the old lease", async () => {
      const url = freshUrl();
      await using store = await openStore(url, { env });
      await store.create(newRun("r-1"));
      await store.lease("run:r-1", "a", 1_000, T0);
      const sql = direct();
      let taken: unknown;
      let appending: Promise<unknown> = Promise.resolve();
      let waiting: Promise<unknown> = Promise.resolve();
      await sql.begin(async (tx) => {
        // Holds the append up after its check, before it can write.
        await tx.unsafe(`LOCK TABLE ${schemaOf(url)}.event IN EXCLUSIVE MODE`);
        appending = store.append("r-1", 0, [log("x")], { now: T0, fence: 1 });
        await blockedWriters(sql, 1);
        waiting = store.lease("run:r-1", "b", 1_000, T0 + 5_000).then((lease) => {
          taken = lease;
        });
        await blockedWriters(sql, 2);
        expect(taken).toBeUndefined();
      });
      await Promise.all([appending, waiting]);
      expect(taken).toMatchObject({ owner: "b", fence: 2 });
      await sql.end();
    });

    test("refuses tables of a newer version, and migrates those of an older one", async () => {
      const url = freshUrl();
      const next = [...MIGRATIONS, "CREATE TABLE SCHEMA.later (x bigint)"];
      {
        await using store = await openPostgres(url, env);
        await store.create(newRun("r-1"));
      }
      {
        await using store = await openPostgres(url, env, next);
        expect(await store.run("r-1")).not.toBeNull();
      }
      await expect(openPostgres(url, env)).rejects.toEqual(failsWith("state-newer"));
    });

    test("names the event that cannot be read", async () => {
      const url = freshUrl();
      await using store = await openStore(url, { env });
      await store.create(newRun("r-1"));
      await store.append("r-1", 0, [log("a"), log("b")], { now: T0 });
      const sql = direct();
      await sql.unsafe(`UPDATE ${schemaOf(url)}.event SET body = '{}' WHERE seq = 2`);
      await sql.end();
      await expect(store.events("r-1")).rejects.toMatchObject({ code: "state-corrupt", data: { seq: 2 } });
    });

    test("is unavailable while the server is down, and the same store works when it is back", async () => {
      const url = freshUrl();
      await using store = await openStore(url, { env });
      await store.create(newRun("r-1"));
      await server.stop();
      await expect(store.run("r-1")).rejects.toEqual(failsWith("store-unavailable"));
      await expect(openStore(url, { env })).rejects.toEqual(failsWith("store-unavailable"));
      await server.start();
      await store.append("r-1", 0, [log("back")], { now: T0 });
      expect(await store.events("r-1")).toHaveLength(1);
    }, 30_000);

    test("never shows a password, not even in a failure", async () => {
      const url = freshUrl().replace("fleet@", "fleet:hunter2@").replace("/postgres?", "/no_such_db?");
      const failure = await openStore(url, { env }).catch((e: unknown) => e);
      expect(failure).toEqual(failsWith("store-unavailable"));
      expect(failure).toMatchObject({ message: expect.stringContaining("no_such_db") });
      expect(`${failure} ${JSON.stringify(failure)}`).not.toContain("hunter2");
      const wrong = await openStore("postgres://u:hunter2@h:99999/x", { env }).catch((e: unknown) => e);
      expect(wrong).toEqual(failsWith("usage"));
      expect(`${wrong}`).not.toContain("hunter2");
    });
  });
}
