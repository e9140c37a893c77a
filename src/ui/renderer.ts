import type { Writable } from "node:stream";
import type { FleetEvent } from "../rollout/events.ts";

/** Where a renderer writes and what it may know of its surroundings. */
export interface RendererIo {
  /** Data, and what people watch. */
  readonly out: Writable;
  /** Remarks for people where `out` carries data. */
  readonly err: Writable;
  readonly color: boolean;
  columns(): number;
  /** Default 24. */
  rows?(): number;
  /** Milliseconds since the epoch. */
  now(): number;
  readonly isLab: boolean;
  /** What a suggested command needs to mean this fleet, such as `-i other.yaml`. */
  readonly flags?: string | undefined;
  /** Of the tool, for the first line of ndjson. */
  readonly version?: string;
  /** Fired by the first ^C: the run only finishes what it has begun. Absent when another process drives it. */
  readonly drain?: AbortSignal;
  /** The plan was already printed, to be confirmed: do not print it again. */
  readonly planShown?: boolean;
  /** Events up to this `seq` are old news: folded, but not told again. */
  readonly since?: number;
}

/**
 * A view of a run: a fold over its events, which start with the plan. Resolves when the stream ends and everything
 * is written; rejects only when the stream does. A reader that goes away (EPIPE) ends the output, not the run.
 */
export type Renderer = (events: AsyncIterable<FleetEvent>, io: RendererIo) => Promise<void>;
