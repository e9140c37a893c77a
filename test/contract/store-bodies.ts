import type { EventBody } from "../../src/rollout/events.ts";
import type { RunRecord } from "../../src/store/store.ts";

export const T0 = Date.UTC(2026, 0, 1);

export function newRun(id: string, more: Partial<RunRecord> = {}): Omit<RunRecord, "lastSeq" | "updatedAt"> {
  return {
    id,
    kind: "rollout",
    revision: "rev-1",
    state: "planned",
    operator: "ada",
    createdAt: T0,
    hosts: 3,
    ...more,
  };
}

export function log(...lines: string[]): EventBody {
  return { type: "host.log", level: "info", msg: "log", host: "node-01", data: { lines } };
}

export function becomes(to: RunRecord["state"]): EventBody {
  return { type: "rollout.state", level: "info", msg: to, data: { from: null, to } };
}
