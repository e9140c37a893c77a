import type { Observation } from "../../src/host/protocol.ts";
import type { Plan } from "../../src/plan/model.ts";
import { NOWHERE_ELSE } from "../../src/rollout/budgets.ts";
import type { Context } from "../../src/rollout/context.ts";
import type { EventBody, FleetEvent, HostState, PauseReason, RunState } from "../../src/rollout/events.ts";
import { RULES } from "../../src/rollout/rules.ts";
import { type HostProgress, type RolloutState, replay } from "../../src/rollout/state.ts";

export const T0 = Date.UTC(2026, 0, 5, 12);

/** A run that has come as far as these events say, one second apart. */
export function aRun(plan: Plan, ...bodies: readonly EventBody[]): RolloutState {
  const all: readonly EventBody[] = [{ type: "plan", level: "info", msg: "", data: { plan } }, ...bodies];
  const events = all.map(
    (body, i) =>
      ({ ...body, ts: new Date(T0 + i * 1000).toISOString(), seq: i + 1, rollout: plan.id }) as FleetEvent,
  );
  return replay(events) as RolloutState;
}

/** `until`: ISO 8601. */
export const run = (to: RunState, reason?: PauseReason, until?: string): EventBody => ({
  type: "rollout.state",
  level: "info",
  msg: "",
  data: { from: null, to, ...(reason ? { reason } : {}), ...(until ? { until } : {}) },
});

type HostData = Extract<EventBody, { type: "host.state" }>["data"];

export const host = (name: string, to: HostState, extra: Partial<HostData> = {}, attempt = 1): EventBody => ({
  type: "host.state",
  level: "info",
  msg: "",
  host: name,
  attempt,
  data: { from: "pending", to, ...extra },
});

export const wave = (
  type: "wave.start" | "wave.soak" | "wave.gate" | "wave.end",
  index: number,
): EventBody => {
  const head = { wave: index, level: "info" as const, msg: "" };
  if (type === "wave.start") return { ...head, type, data: { hosts: [] } };
  if (type === "wave.soak") return { ...head, type, data: { until: new Date(T0 + 600_000).toISOString() } };
  if (type === "wave.gate") return { ...head, type, data: { verdict: "waiting" } };
  return { ...head, type, data: { ok: 1, failed: 0, deferred: 0 } };
};

export const progress = (state: RolloutState, name: string): HostProgress => {
  const found = state.hosts.get(name);
  if (!found) throw new Error(`no host ${name}`);
  return found;
};

export const aContext = (more: Partial<Context> = {}): Context => ({
  now: T0 + 60_000,
  inFlight: new Map(),
  draining: false,
  fence: 7,
  resumedAt: T0,
  resumedSeq: 1,
  elsewhere: NOWHERE_ELSE,
  rules: RULES,
  ...more,
});

/** A healthy host at rest that runs `current`; say what differs. */
export function anObservation(current: string, more: Partial<Observation> = {}): Observation {
  return {
    schema: 1,
    hostname: "h",
    os: { id: "nixos", version: "26.05", variant: "" },
    arch: "x86_64-linux",
    bootId: "boot-1",
    uptime: 1,
    clock: 1,
    current,
    booted: current,
    profile: current,
    generation: 1,
    bootDefault: current,
    loader: "lab",
    rebootPending: false,
    failedUnits: [],
    systemState: "running",
    state: null,
    activateActive: false,
    revertArmed: false,
    revertIn: null,
    closureValid: true,
    disk: { storeFree: 1e6, bootFree: 1e6, rootFree: 1e6 },
    memory: 1e6,
    hold: null,
    lock: null,
    foreign: [],
    otherRuns: [],
    nix: "2.31",
    elevation: "root",
    trustedUser: true,
    ...more,
  };
}
