/** The cluster's SQLite datastore inside an archive: is it whole, and what is in it? */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pipeline } from "node:stream/promises";
import { archiveEntries } from "./archive.ts";
import type { ArchiveKey } from "./keys.ts";

const PARTS = /\/server\/db\/(state\.db(?:-wal|-shm)?)$/;

export interface DatastoreCheck {
  readonly ok: boolean;
  /** `integrity ok, 200 rows, last id 200` */
  readonly detail: string;
}

/** Null when there is none. `dir`: private, for the moment it is unpacked. */
export async function checkDatastore(
  file: string,
  key: ArchiveKey,
  dir: string,
): Promise<DatastoreCheck | null> {
  const work = await mkdtemp(join(dir, "datastore-"));
  try {
    let found = false;
    for await (const entry of archiveEntries(file, key)) {
      const name = PARTS.exec(entry.path)?.[1];
      if (name === undefined || entry.type !== "file") continue;
      found ||= name === "state.db";
      await pipeline(entry.body, createWriteStream(join(work, name), { mode: 0o600 }));
    }
    return found ? inspect(join(work, "state.db")) : null;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function inspect(file: string): DatastoreCheck {
  try {
    const db = new DatabaseSync(file);
    try {
      const integrity = String(Object.values(db.prepare("PRAGMA integrity_check").get() ?? {})[0]);
      if (integrity !== "ok") return { ok: false, detail: `SQLite says: ${integrity.slice(0, 100)}` };
      const kine = db.prepare("SELECT count(*) AS rows, max(id) AS last FROM kine").get();
      return { ok: true, detail: `integrity ok, ${kine?.rows} rows, last id ${kine?.last}` };
    } finally {
      db.close();
    }
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
