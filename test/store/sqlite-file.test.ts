import { copyFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { importNdjson } from "../../src/store/archive.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { MIGRATIONS } from "../../src/store/sqlite/schema.ts";
import { log, newRun, T0 } from "../contract/store-bodies.ts";
import { failsWith } from "../contract/store-subject.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fleet-store-"));
  path = join(directory, "state.db");
});
afterEach(() => rm(directory, { recursive: true }));

/** Fills the file with one run of `events` events and closes it. */
async function written(events: number): Promise<void> {
  await using store = await openSqlite(path);
  await store.create(newRun("r-1"));
  const bodies = Array.from({ length: events }, (_, i) => log(`line ${i}`));
  await store.append("r-1", 0, bodies, { now: T0 });
  await store.putHost({ host: "node-01", revision: "a" });
}

function tamper(sql: string): void {
  using db = new DatabaseSync(path, { defensive: false });
  db.exec(sql);
}

/** Opening fails, and the file is byte for byte what it was. */
async function refused(): Promise<unknown> {
  const before = await readFile(path);
  const error = await openSqlite(path).then(
    () => "opened",
    (e: unknown) => e,
  );
  expect((await readFile(path)).equals(before)).toBe(true);
  return error;
}

describe("the state file", () => {
  test("is for its owner only, in a directory of its own", async () => {
    path = join(directory, "deep", "fleet", "state.db");
    await using store = await openSqlite(path);
    await store.create(newRun("r-1"));
    expect((await stat(join(directory, "deep", "fleet"))).mode & 0o777).toBe(0o700);
    expect((await stat(path)).mode & 0o077).toBe(0);
    expect((await stat(`${path}-wal`)).mode & 0o077).toBe(0);
  });

  test("is in write-ahead mode: readers and the writer do not wait for each other", async () => {
    await written(1);
    using db = new DatabaseSync(path, { readOnly: true });
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    db.exec("BEGIN; SELECT count(*) FROM event");
    await using store = await openSqlite(path);
    await store.append("r-1", 1, [log("x")], { now: T0 });
    expect(await store.events("r-1")).toHaveLength(2);
  });

  test("on a full disk refuses the whole append and keeps working", async () => {
    // A limit on the file's pages stands for the disk; the migration is only a way to the connection.
    await using store = await openSqlite(path, [...MIGRATIONS, "PRAGMA max_page_count = 40"]);
    await store.create(newRun("r-1"));
    await store.append("r-1", 0, [log("a")], { now: T0 });
    // Many, so that part of it is written before the end is met.
    const large = [...Array.from({ length: 150 }, () => log("b")), log("x".repeat(1_000_000))];
    const failure = await store.append("r-1", 1, large, { now: T0 }).catch((e: unknown) => e);
    expect(failure).toEqual(failsWith("store-unavailable"));
    expect(failure).toMatchObject({ message: expect.stringContaining("full") });
    await store.append("r-1", 1, [log("c")], { now: T0 });
    expect(await store.events("r-1")).toHaveLength(2);
  });

  test("waits for another process's write instead of failing", async () => {
    await using store = await openSqlite(path);
    await store.create(newRun("r-1"));
    using other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE; UPDATE run SET operator = 'eve'");
    let done = false;
    const append = store.append("r-1", 0, [log("x")], { now: T0 }).then(() => {
      done = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(done).toBe(false);
    other.exec("COMMIT");
    await append;
    expect(await store.run("r-1")).toMatchObject({ operator: "eve", lastSeq: 1 });
  });

  test("of a newer version is refused and left alone", async () => {
    await written(1);
    tamper(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
    const error = await refused();
    expect(error).toEqual(failsWith("state-newer"));
    expect(error).toMatchObject({ hint: expect.stringContaining("update macula-fleet") });
  });

  test("that is no database is refused and left alone", async () => {
    await writeFile(path, "kind: FleetInventory\n".repeat(300));
    const error = await refused();
    expect(error).toEqual(failsWith("state-corrupt"));
    expect(error).toMatchObject({ message: expect.stringContaining(path) });
  });

  test("of another program is refused and left alone", async () => {
    tamper("CREATE TABLE moz_places (id INTEGER)");
    expect(await refused()).toEqual(failsWith("state-corrupt"));
  });

  test("cut short is refused, with what can be read beside it and the copy named", async () => {
    await written(3_000);
    const { size } = await stat(path);
    await truncate(path, Math.floor(size / 2 / 4096) * 4096);
    const error = await refused();
    expect(error).toEqual(failsWith("state-corrupt"));
    const readable = `${path}.readable.ndjson`;
    expect(error).toMatchObject({
      message: expect.stringContaining(path),
      hint: expect.stringMatching(/not touched.*\.backup.*\.readable\.ndjson/),
      data: { path, readable },
    });
    const rescued = (await readFile(readable, "utf8")).trim().split("\n");
    expect(rescued[1]).toContain('"type":"run"');
    expect(rescued.length).toBeGreaterThan(100);
    // The copy made at closing is whole.
    await copyFile(`${path}.backup`, path);
    await rm(`${path}-wal`, { force: true });
    await rm(`${path}-shm`, { force: true });
    await using store = await openSqlite(path);
    expect(await store.events("r-1")).toHaveLength(3_000);
  });

  test("with an undamaged run is rescued in a form that can be imported", async () => {
    await written(50);
    tamper("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'command_waiting'");
    const error = await refused();
    expect(error).toEqual(failsWith("state-corrupt"));
    await using other = new MemoryStore();
    const lines = (await readFile(`${path}.readable.ndjson`, "utf8")).split("\n");
    expect(await importNdjson(other, lines, "rescued")).toEqual(["r-1"]);
    expect(await other.events("r-1")).toHaveLength(50);
  });

  test.each([
    ["is not JSON", "UPDATE event SET body = '{' WHERE seq = 2"],
    ["is of another shape", `UPDATE event SET body = '{"type":"host.log"}' WHERE seq = 2`],
    ["is missing", "DELETE FROM event WHERE seq = 2"],
    ["belongs elsewhere", "UPDATE event SET body = (SELECT body FROM event WHERE seq = 1) WHERE seq = 2"],
    ["is the missing end", "DELETE FROM event WHERE seq >= 2"],
  ])("names the event that %s", async (_, sql) => {
    await written(3);
    tamper(sql);
    await using store = await openSqlite(path);
    const failure = await store.events("r-1").catch((e: unknown) => e);
    expect(failure).toEqual(failsWith("state-corrupt"));
    expect(failure).toMatchObject({ message: expect.stringContaining(path), data: { run: "r-1", seq: 2 } });
  });

  test("names the run whose row is broken", async () => {
    await written(1);
    tamper("UPDATE run SET state = 'sleeping'");
    await using store = await openSqlite(path);
    await expect(store.runs()).rejects.toEqual(failsWith("state-corrupt"));
    await expect(store.run("r-1")).rejects.toMatchObject({ data: { run: "r-1" } });
  });

  test("is migrated step by step, with a copy of what it was", async () => {
    await written(2);
    const next = [...MIGRATIONS, "CREATE TABLE later (x INTEGER) STRICT; INSERT INTO later VALUES (1)"];
    {
      await using store = await openSqlite(path, next);
      expect(await store.events("r-1")).toHaveLength(2);
    }
    await using again = await openSqlite(path, next);
    expect(await again.runs()).toHaveLength(1);
    await using old = await openSqlite(`${path}.schema-${MIGRATIONS.length}`);
    expect(await old.events("r-1")).toHaveLength(2);
    expect(await refused()).toEqual(failsWith("state-newer"));
  });

  test("stays as it was when a migration fails", async () => {
    await written(2);
    const broken = [...MIGRATIONS, "CREATE TABLE later (x INTEGER); CREATE TABLE later (x INTEGER)"];
    await expect(openSqlite(path, broken)).rejects.toThrow(/later/);
    await using store = await openSqlite(path);
    expect(await store.events("r-1")).toHaveLength(2);
  });

  test("that cannot be made is store-unavailable", async () => {
    await writeFile(join(directory, "file"), "");
    await expect(openSqlite(join(directory, "file", "state.db"))).rejects.toEqual(
      failsWith("store-unavailable"),
    );
    await mkdir(path);
    await expect(openSqlite(path)).rejects.toEqual(failsWith("store-unavailable"));
  });
});
