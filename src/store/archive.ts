import { z } from "zod";
import { FleetError } from "../errors.ts";
import { EVENT_SCHEMA, FleetEvent, VersionLine } from "../rollout/events.ts";
import { RunRecordSchema, readRow, unknownRun, writtenJournal } from "./records.ts";
import type { RunId, RunRecord, Store } from "./store.ts";

const RunLine = RunRecordSchema.extend({ type: z.literal("run") });
const Line = z.looseObject({ type: z.string() });

/** Runs as ndjson lines (without newlines): the version, then each run's row and its events as `-o ndjson` has them. */
export async function* exportNdjson(
  store: Store,
  runs: readonly RunId[],
  tool: string,
): AsyncGenerator<string> {
  yield JSON.stringify({ type: "version", schema: EVENT_SCHEMA, tool } satisfies z.infer<typeof VersionLine>);
  for (const id of runs) {
    const record = await store.run(id);
    if (record === null) throw unknownRun(id);
    const events = await store.events(id);
    // Events may have come since the row was read.
    yield JSON.stringify({ type: "run", ...record, lastSeq: events.length });
    for (const event of events) yield JSON.stringify(event);
  }
}

/**
 * Adds the runs of an export and returns their ids. Everything is checked before anything is written; each run comes
 * whole or not at all. Lines of types this version does not know are skipped. Errors: `state-corrupt` with the line,
 * `state-newer`, `locked` when a run is here already.
 */
export async function importNdjson(
  store: Store,
  lines: AsyncIterable<string> | Iterable<string>,
  name: string,
): Promise<readonly RunId[]> {
  const origin = { name, recovery: "export it again" };
  const runs = new Map<RunId, { record: RunRecord; events: FleetEvent[] }>();
  let at = 0;
  for await (const text of lines) {
    at += 1;
    if (text.trim() === "") continue;
    const what = `line ${at}`;
    const { type } = readRow(Line, text, origin, what, { line: at });
    if (type === "version") {
      requireSchema(readRow(VersionLine, text, origin, what, { line: at }).schema, name);
    } else if (type === "run") {
      const { type: _, ...record } = readRow(RunLine, text, origin, what, { line: at });
      runs.set(record.id, { record, events: [] });
    } else if (EVENT_TYPES.has(type)) {
      const event = readRow(FleetEvent, text, origin, what, { line: at });
      runs.get(event.rollout)?.events.push(event);
    }
  }
  for (const { record, events } of runs.values()) {
    writtenJournal(record, events);
    if ((await store.run(record.id)) !== null)
      throw new FleetError("locked", `run ${record.id} exists already`);
  }
  for (const { record, events } of runs.values()) await store.adopt(record, events);
  return [...runs.keys()];
}

const EVENT_TYPES: ReadonlySet<string> = new Set(FleetEvent.options.map((o) => o.shape.type.value));

function requireSchema(schema: string, name: string): void {
  const [ours] = EVENT_SCHEMA.split(".");
  if (schema.split(".")[0] === ours) return;
  throw new FleetError(
    "state-newer",
    `${name} has schema ${schema}, this macula-fleet knows ${EVENT_SCHEMA}`,
    {
      hint: "update macula-fleet on this machine",
    },
  );
}
