/** The event stream is a contract: what is said can be read again whole, and what is no event is refused. */
import { describe, expect, test } from "vitest";
import { EVENT_SCHEMA, FleetEvent, TERMINAL_STATES, VersionLine } from "../../src/rollout/events.ts";

const ENVELOPE = { ts: "2026-01-05T12:00:00.000Z", seq: 1, rollout: "r-1", level: "info", msg: "" } as const;
const WHERE = { wave: 1, host: "a", role: "peer", site: "gent", attempt: 2 };
const TALLY = { ok: 1, failed: 2, deferred: 3 };
const failure = { code: "unreachable", message: "no answer", hint: "plug it in", transient: true };

const RUN_STATES = [
  "planned",
  "queued",
  "running",
  "paused",
  "aborting",
  "aborted",
  "baking",
  "succeeded",
  "succeeded_with_stragglers",
  "failed",
  "rolling_back",
  "rolled_back",
  "rollback_failed",
  "superseded",
];
const REASONS = ["operator", "gate", "failures", "quorum", "window", "deadline", "lease", "uplink"];
const HOST_STATES = [
  "pending",
  "preflight",
  "staging",
  "staged",
  "activating",
  "rebooting",
  "confirming",
  "committing",
  "updated",
  "skipped",
  "deferred",
  "reverting",
  "reverted",
  "failed",
  "unknown",
  "drifted",
  "draining",
  "saving",
  "kexec",
  "leaving",
  "partitioning",
  "installing",
  "restoring",
  "restarting",
  "verifying",
];
const check = (status: string) => ({ name: "app", type: "command", status, message: "" });

const EVENTS: readonly { readonly type: string; readonly data: object }[] = [
  { type: "plan", data: { plan: { id: "r-1" } } },
  ...RUN_STATES.map((to) => ({ type: "rollout.state", data: { from: null, to } })),
  ...REASONS.map((reason) => ({
    type: "rollout.state",
    data: { from: "running", to: "paused", reason, detail: "x" },
  })),
  ...["pause", "resume", "promote", "abort", "retry", "undo"].map((command) => ({
    type: "rollout.command",
    data: { command, by: "ann", toWave: 2, full: true, hosts: ["a"] },
  })),
  { type: "wave.start", data: { hosts: ["a"] } },
  { type: "wave.soak", data: { until: ENVELOPE.ts } },
  ...["open", "waiting", "closed"].map((verdict) => ({ type: "wave.gate", data: { verdict, note: "x" } })),
  { type: "wave.end", data: TALLY },
  ...HOST_STATES.map((to) => ({ type: "host.state", data: { from: "pending", to } })),
  ...["test", "boot"].map((mode) => ({
    type: "host.state",
    data: {
      from: "staging",
      to: "staged",
      deadline: ENVELOPE.ts,
      fence: 7,
      previous: "/nix/store/x",
      baselineFailed: ["u"],
      mode,
      failure,
      bytes: 5,
      detail: { anything: [1] },
    },
  })),
  ...["ok", "failed", "retry"].map((s) => ({
    type: "host.check",
    data: { results: [check(s)], healthy: s === "ok" },
  })),
  { type: "host.log", data: { lines: ["x"] } },
  { type: "budget", data: { failed: 1, maxFailures: 2, unavailable: 3, maxUnavailable: 4, deferred: 5 } },
  { type: "prompt", data: { question: "?", answers: ["y"] } },
  { type: "diagnostic", data: { code: "x", detail: { anything: 1 } } },
  {
    type: "summary",
    data: { state: "paused", reason: "gate", ...TALLY, skipped: 4, pending: 5, exit: 5, next: ["x"] },
  },
];

describe("an event", () => {
  test.each(EVENTS)("$type $data", ({ type, data }) => {
    for (const level of ["debug", "info", "warn", "error"]) {
      const event = { ...ENVELOPE, ...WHERE, level, type, data };
      expect(FleetEvent.parse(event)).toEqual(event);
    }
    // Where it happened is said only where there is a where.
    const event = { ...ENVELOPE, type, data };
    expect(FleetEvent.parse(event)).toEqual(event);
  });

  test("every type has an example here", () => {
    const types = FleetEvent.options.map((o) => o.shape.type.value);
    expect([...new Set(EVENTS.map((e) => e.type))].sort()).toEqual([...types].sort());
  });

  test("what a later version adds is passed over; what is missing or of another kind is refused", () => {
    const event = { ...ENVELOPE, type: "host.log", data: { lines: ["x"] } };
    expect(FleetEvent.parse({ ...event, later: 1 })).toEqual(event);
    for (const bad of [
      { ...event, type: "host.dance" },
      { ...event, seq: 1.5 },
      { ...event, level: "loud" },
      { ...event, data: {} },
      { ...event, data: { lines: "x" } },
    ])
      expect(FleetEvent.safeParse(bad).success).toBe(false);
  });
});

test("the first line of a stream names the version of all that follow", () => {
  const line = { type: "version", schema: EVENT_SCHEMA, tool: "macula-fleet 0.1.0" };
  expect(line.schema).toMatch(/^1\.\d+$/);
  expect(VersionLine.parse(line)).toEqual(line);
  expect(VersionLine.safeParse({ ...line, type: "plan" }).success).toBe(false);
});

test("a run is over in these states and in no other", () => {
  expect([...TERMINAL_STATES].sort()).toEqual([
    "aborted",
    "failed",
    "rollback_failed",
    "rolled_back",
    "succeeded",
    "succeeded_with_stragglers",
    "superseded",
  ]);
});
