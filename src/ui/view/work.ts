/** What a view keeps of a host while it is in hand. Pure. */
import type { EventOf, HostState } from "../../rollout/events.ts";
import { classOf } from "./classes.ts";

/** A host in hand: the last it said, and what it will do by itself. */
export interface Work {
  readonly doing: string | null;
  /** When the host reverts itself, ISO 8601: armed before activation, good until it is confirmed. */
  readonly revertsAt: string | null;
}

/** States in which the revert timer on the host is running. */
const REVERTS: ReadonlySet<HostState> = new Set<HostState>([
  "activating",
  "rebooting",
  "confirming",
  "unknown",
]);

/** `intent`: what it is about to do, where the state's name alone says too little. */
export function workAfter(
  work: ReadonlyMap<string, Work>,
  host: string,
  data: EventOf<"host.state">["data"],
  intent: string | null = null,
): ReadonlyMap<string, Work> {
  const next = new Map(work);
  if (classOf(data.to) !== "busy") {
    next.delete(host);
    return next;
  }
  // A transient failure's deadline is when it is tried again.
  const armed = data.failure?.transient ? undefined : data.deadline;
  return next.set(host, {
    doing: data.failure?.message ?? intent,
    revertsAt: REVERTS.has(data.to) ? (armed ?? work.get(host)?.revertsAt ?? null) : null,
  });
}

/** What a round of checks came to, in a few words. */
export function checkText(data: EventOf<"host.check">["data"]): string {
  const failing = data.results.filter((r) => r.status !== "ok");
  const first = failing[0];
  if (first === undefined) return `health ${data.results.length}/${data.results.length}`;
  const more = failing.length > 1 ? ` (and ${failing.length - 1} more)` : "";
  return `${first.name}: ${first.message}${more}`;
}
