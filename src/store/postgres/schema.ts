/** One step per schema version, oldest first; never edited once released. `SCHEMA` stands for the quoted schema. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE SCHEMA.run (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    kind text NOT NULL,
    revision text NOT NULL,
    state text NOT NULL,
    reverts text,
    operator text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    last_seq bigint NOT NULL,
    hosts bigint NOT NULL
  );
  CREATE TABLE SCHEMA.event (
    run text NOT NULL REFERENCES SCHEMA.run (id),
    seq bigint NOT NULL,
    -- Not jsonb: that refuses some characters a log line may hold, and reorders keys.
    body text NOT NULL,
    PRIMARY KEY (run, seq)
  );
  CREATE TABLE SCHEMA.lease (
    key text PRIMARY KEY,
    owner text NOT NULL,
    fence bigint NOT NULL,
    expires_at bigint NOT NULL,
    held bigint NOT NULL
  );
  CREATE TABLE SCHEMA.command (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run text NOT NULL REFERENCES SCHEMA.run (id),
    body text NOT NULL,
    done bigint NOT NULL
  );
  CREATE INDEX command_waiting ON SCHEMA.command (run, id) WHERE done = 0;
  CREATE TABLE SCHEMA.host (host text PRIMARY KEY, body text NOT NULL);
  `,
];
