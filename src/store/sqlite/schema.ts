/** "MFLT": tells this tool's files from other programs' SQLite files. */
export const APPLICATION_ID = 0x4d464c54;

/** One step per schema version, oldest first; never edited once released. `user_version` counts those applied. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE run (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    revision TEXT NOT NULL,
    state TEXT NOT NULL,
    reverts TEXT,
    operator TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    hosts INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE event (
    run TEXT NOT NULL REFERENCES run (id),
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
  ) STRICT;
  CREATE TABLE lease (
    key TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    held INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE command (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL REFERENCES run (id),
    body TEXT NOT NULL,
    done INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX command_waiting ON command (run, id) WHERE done = 0;
  CREATE TABLE host (host TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
  `,
];
