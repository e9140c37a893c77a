/** Pure: what the stores keep, as text and back. Everything read is checked: a row nobody wrote is never acted on. */
import { z } from "zod";
import { FleetError } from "../errors.ts";
import { type EventBody, FleetEvent, RunState } from "../rollout/events.ts";
import type { HostChange, HostRecord, PendingCommand, RunId, RunRecord } from "./store.ts";

const int = z.number().int();

export const RunRecordSchema = z.object({
  id: z.string(),
  kind: z.enum(["rollout", "install", "rollback"]),
  revision: z.string(),
  state: RunState,
  reverts: z.string().exactOptional(),
  operator: z.string(),
  createdAt: int,
  updatedAt: int,
  lastSeq: int.min(0),
  hosts: int,
}) satisfies z.ZodType<RunRecord>;

export const HostRecordSchema = z.object({
  host: z.string(),
  seenAt: z.number().exactOptional(),
  current: z.string().exactOptional(),
  generation: z.number().exactOptional(),
  revision: z.string().exactOptional(),
  lastHealthy: z.string().exactOptional(),
  previousHealthy: z.string().exactOptional(),
  previousRevision: z.string().exactOptional(),
  outcome: z.enum(["updated", "reverted", "failed", "deferred", "installed"]).exactOptional(),
  outcomeRun: z.string().exactOptional(),
  held: z.object({ reason: z.string(), by: z.string(), since: z.number() }).exactOptional(),
  owes: z.object({ run: z.string(), revision: z.string(), since: z.number() }).exactOptional(),
  unsettled: z
    .object({ run: z.string(), since: z.number(), via: z.string().exactOptional() })
    .exactOptional(),
}) satisfies z.ZodType<HostRecord>;

export const CommandSchema = z.object({
  command: z.enum(["pause", "resume", "promote", "abort", "retry", "undo"]),
  by: z.string(),
  toWave: z.number().exactOptional(),
  full: z.boolean().exactOptional(),
  hosts: z.array(z.string()).exactOptional(),
}) satisfies z.ZodType<Omit<PendingCommand, "id">>;

/** An event in its place, with the text that is stored. */
export interface Placed {
  readonly event: FleetEvent;
  readonly text: string;
}

/**
 * Gives bodies their places after `afterSeq`. What comes back is exactly what reading will give, so that a run that
 * goes on and one that was resumed see the same events. Throws (a bug, not a `FleetError`) on bodies outside the schema.
 */
export function place(
  run: RunId,
  afterSeq: number,
  bodies: readonly EventBody[],
  now: number,
): readonly Placed[] {
  const ts = new Date(now).toISOString();
  return bodies.map((body, i) => written({ ts, seq: afterSeq + 1 + i, rollout: run, ...body }));
}

/** Checks and encodes one event. */
export function written(event: unknown): Placed {
  const parsed = FleetEvent.parse(JSON.parse(JSON.stringify(event)));
  return { event: parsed, text: JSON.stringify(parsed) };
}

/** Is what was stored after the expected place exactly this append, whose answer its writer never got? */
export function isRepeat(placed: readonly Placed[], stored: readonly unknown[]): boolean {
  return placed.length > 0 && placed.length === stored.length && placed.every((p, i) => p.text === stored[i]);
}

/** A whole journal from elsewhere, encoded. `state-corrupt` unless it is this run's, from 1 to `lastSeq` without a gap. */
export function writtenJournal(run: RunRecord, events: readonly FleetEvent[]): readonly Placed[] {
  const origin = { name: `journal of run ${run.id}`, recovery: "export it again from where it came" };
  readEvents(
    run.id,
    events.map((body) => ({ seq: body.seq, body })),
    0,
    run.lastSeq,
    origin,
  );
  if (events.length !== run.lastSeq) throw corrupt(origin, `has ${events.length} events, not ${run.lastSeq}`);
  return events.map(written);
}

/** The state a run is in after these events: the last transition among them, if there is one. */
export function stateAfter(bodies: readonly EventBody[]): RunState | undefined {
  return bodies.findLast((body) => body.type === "rollout.state")?.data.to;
}

/** Where rows came from and how to get out of trouble there: for messages only. */
export interface Origin {
  readonly name: string;
  readonly recovery: string;
}

/** `state-corrupt` about one part of a store. */
export function corrupt(origin: Origin, what: string, data: Record<string, unknown> = {}, cause?: unknown) {
  return new FleetError("state-corrupt", `${origin.name}: ${what}`, { hint: origin.recovery, data, cause });
}

/** Reads one row's JSON against its schema; `what` names the row in the `state-corrupt` error. */
export function readRow<T>(
  schema: z.ZodType<T>,
  text: unknown,
  origin: Origin,
  what: string,
  data: Record<string, unknown> = {},
): T {
  try {
    return schema.parse(typeof text === "string" ? JSON.parse(text) : text);
  } catch (error) {
    throw corrupt(origin, `${what} cannot be read`, data, error);
  }
}

/** One run's events after `sinceSeq` up to at least `lastSeq`, in order; a gap or a missing end is `state-corrupt`. */
export function readEvents(
  run: RunId,
  rows: readonly { readonly seq: unknown; readonly body: unknown }[],
  sinceSeq: number,
  lastSeq: number,
  origin: Origin,
): readonly FleetEvent[] {
  const events = rows.map((row, i) => {
    const seq = sinceSeq + 1 + i;
    const where = { run, seq };
    const event = readRow(FleetEvent, row.body, origin, `event ${seq} of run ${run}`, where);
    if (row.seq !== seq || event.seq !== seq || event.rollout !== run) {
      throw corrupt(origin, `event ${seq} of run ${run} is missing`, where);
    }
    return event;
  });
  const seq = sinceSeq + rows.length;
  if (seq < lastSeq) {
    throw corrupt(origin, `event ${seq + 1} of run ${run} is missing`, { run, seq: seq + 1 });
  }
  return events;
}

/** The fields given replace what is known; an explicit `undefined` removes a field. */
export function mergeHost(known: HostRecord | undefined, change: HostChange): HostRecord {
  return HostRecordSchema.parse(JSON.parse(JSON.stringify({ ...known, ...change })));
}

/** Another writer was there first. */
export function overtaken(run: RunId, expected: number, found: number): FleetError {
  return new FleetError(
    "lease-lost",
    `run ${run} is at event ${found}, not ${expected}: another controller wrote to it`,
    {
      hint: `macula-fleet rollout watch ${run} shows what it does`,
      data: { run, expected, found },
    },
  );
}

/** The writer's lease is not the current one. */
export function leaseLost(key: string, fence: number): FleetError {
  return new FleetError("lease-lost", `the lease ${key} (fence ${fence}) is no longer ours`, {
    hint: "another controller took over; this one stops",
    data: { key, fence },
  });
}

export function unknownRun(run: RunId): FleetError {
  return new FleetError("rollout-not-found", `there is no run ${run}`, {
    hint: "macula-fleet rollout history lists the runs",
    data: { run },
  });
}

export function runExists(run: RunId): FleetError {
  return new FleetError("locked", `run ${run} exists already`, { data: { run } });
}

/** The key whose lease fences a run's journal. */
export function runLease(run: RunId): string {
  return `run:${run}`;
}
