/**
 * The event stream: the engine's only output (contract §6). Journalled before it is shown; `-o ndjson` prints it,
 * every view is a fold over it. Consumers ignore unknown fields and types and reject an unknown major version.
 */
import { z } from "zod";

export const EVENT_SCHEMA = "1.0";

/** First line of every ndjson stream. */
export const VersionLine = z.object({ type: z.literal("version"), schema: z.string(), tool: z.string() });

export const RunState = z.enum([
  "planned",
  "queued",
  "running",
  "paused",
  "aborting",
  "aborted",
  "baking",
  "succeeded",
  "succeeded_with_stragglers",
  "failed", // install and rollback runs only: a rollout pauses instead
  "rolling_back",
  "rolled_back",
  "rollback_failed",
  "superseded",
]);
export type RunState = z.infer<typeof RunState>;

export const TERMINAL_STATES: ReadonlySet<RunState> = new Set([
  "aborted",
  "succeeded",
  "succeeded_with_stragglers",
  "failed",
  "rolled_back",
  "rollback_failed",
  "superseded",
]);

export const PauseReason = z.enum([
  "operator",
  "gate",
  "failures",
  "quorum",
  "window",
  "deadline",
  "lease",
  "uplink",
]);
export type PauseReason = z.infer<typeof PauseReason>;

/** States of one host inside a run. `install` runs use the second group between `preflight` and `updated`. */
export const HostState = z.enum([
  "pending",
  "preflight",
  "staging",
  "staged",
  "activating",
  "rebooting",
  "confirming", // activated; health is being proven, nothing committed
  "committing",
  "updated",
  "skipped",
  "deferred",
  "reverting",
  "reverted",
  "failed", // needs a human
  "unknown", // contact lost at or after activating; resolved only by asking the host
  "drifted",
  "draining",
  "saving", // its state is copied to the operator, before a conversion
  "kexec",
  "leaving", // its cluster forgets it, before a conversion erases it
  "partitioning",
  "installing",
  "restoring",
  "restarting",
  "verifying",
]);
export type HostState = z.infer<typeof HostState>;

const Envelope = z.object({
  /** ISO 8601, UTC. */
  ts: z.string(),
  /** 1, 2, 3 … per run, no gaps. */
  seq: z.number().int(),
  rollout: z.string(),
  wave: z.number().int().optional(),
  host: z.string().optional(),
  role: z.string().optional(),
  site: z.string().optional(),
  attempt: z.number().int().optional(),
  level: z.enum(["debug", "info", "warn", "error"]),
  msg: z.string(),
});

const event = <T extends string, D extends z.ZodType>(type: T, data: D) =>
  Envelope.extend({ type: z.literal(type), data });

const FailureData = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  transient: z.boolean(),
});

export const PlanEvent = event("plan", z.object({ plan: z.unknown() }));
export const RolloutStateEvent = event(
  "rollout.state",
  z.object({
    from: RunState.nullable(),
    to: RunState,
    reason: PauseReason.optional(),
    detail: z.string().optional(),
    /** ISO 8601: when it goes on (paused for a window), or may end (baking), by itself. */
    until: z.string().optional(),
    /** Paused for a window: for how long nothing had been updated, ms. */
    quietMs: z.number().min(0).optional(),
  }),
);
/** An operator's word, applied in order. */
export const CommandEvent = event(
  "rollout.command",
  z.object({
    command: z.enum(["pause", "resume", "promote", "abort", "retry", "undo"]),
    by: z.string(),
    toWave: z.number().int().optional(),
    full: z.boolean().optional(),
    /** ISO 8601: when the soak or bake that a promotion cut short was to end. */
    cutShort: z.string().optional(),
    hosts: z.array(z.string()).optional(),
  }),
);
export const WaveStartEvent = event("wave.start", z.object({ hosts: z.array(z.string()) }));
/** `until`: ISO 8601. */
export const WaveSoakEvent = event("wave.soak", z.object({ until: z.string() }));
export const WaveGateEvent = event(
  "wave.gate",
  z.object({ verdict: z.enum(["open", "waiting", "closed"]), note: z.string().optional() }),
);
export const WaveEndEvent = event(
  "wave.end",
  z.object({ ok: z.number(), failed: z.number(), deferred: z.number() }),
);
/** The intent is journalled as the transition INTO a working state, before its side effect; the result as the one out. */
export const HostStateEvent = event(
  "host.state",
  z.object({
    from: HostState,
    to: HostState,
    /** ISO 8601: when the host reverts itself, or when a retry is due. */
    deadline: z.string().optional(),
    fence: z.number().int().optional(),
    /** The system it ran before this attempt: what a revert goes back to. */
    previous: z.string().optional(),
    baselineFailed: z.array(z.string()).optional(),
    mode: z.enum(["test", "boot"]).optional(),
    failure: FailureData.optional(),
    /** Bytes copied, for `staged`. */
    bytes: z.number().optional(),
    /** Free-form facts for views. */
    detail: z.record(z.string(), z.unknown()).optional(),
  }),
);
export const HostCheckEvent = event(
  "host.check",
  z.object({
    results: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        status: z.enum(["ok", "failed", "retry"]),
        message: z.string(),
      }),
    ),
    healthy: z.boolean(),
  }),
);
export const HostLogEvent = event("host.log", z.object({ lines: z.array(z.string()) }));
export const BudgetEvent = event(
  "budget",
  z.object({
    failed: z.number(),
    maxFailures: z.number(),
    unavailable: z.number(),
    maxUnavailable: z.number(),
    deferred: z.number(),
  }),
);
export const PromptEvent = event("prompt", z.object({ question: z.string(), answers: z.array(z.string()) }));
export const DiagnosticEvent = event(
  "diagnostic",
  z.object({ code: z.string(), detail: z.record(z.string(), z.unknown()).optional() }),
);
export const SummaryEvent = event(
  "summary",
  z.object({
    state: RunState,
    reason: PauseReason.optional(),
    ok: z.number(),
    failed: z.number(),
    deferred: z.number(),
    skipped: z.number(),
    pending: z.number(),
    exit: z.number().int(),
    next: z.array(z.string()),
  }),
);

export const FleetEvent = z.discriminatedUnion("type", [
  PlanEvent,
  RolloutStateEvent,
  CommandEvent,
  WaveStartEvent,
  WaveSoakEvent,
  WaveGateEvent,
  WaveEndEvent,
  HostStateEvent,
  HostCheckEvent,
  HostLogEvent,
  BudgetEvent,
  PromptEvent,
  DiagnosticEvent,
  SummaryEvent,
]);
export type FleetEvent = z.infer<typeof FleetEvent>;
export type EventOf<T extends FleetEvent["type"]> = Extract<FleetEvent, { type: T }>;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An event before the journal has given it its place: what the pure core produces. */
export type EventBody = DistributiveOmit<FleetEvent, "ts" | "seq" | "rollout">;
