/** What one event says of one host. Pure. */
import { unknownHealth } from "../health/evaluate.ts";
import type { EventOf, HostState } from "./events.ts";
import { CONTACT_CODES, type HostProgress, NOT_NOW, STILL_AT_IT } from "./host-progress.ts";

/** Moves the run makes on its own: they say nothing about whether the host answers. */
const INTENTS: ReadonlySet<HostState> = new Set([
  "pending",
  "preflight",
  "activating",
  "committing",
  "reverting",
  "unknown",
]);

/** Does this move follow a look at a host where nothing was under way? Without one, hosts are put off for a failure. */
const isSeenAtRest = ({ to, failure }: EventOf<"host.state">["data"]): boolean =>
  ["staging", "updated", "reverted"].includes(to) ||
  (["skipped", "deferred"].includes(to) && failure === undefined) ||
  (to === "drifted" && failure?.code === "plan-stale");

/** It has the new system for good: just now, or found so when it was tried again. */
const isConfirmed = ({ to, detail }: EventOf<"host.state">["data"]): boolean =>
  to === "updated" || (to === "skipped" && detail?.confirmed === true);

/** `at`: when it happened, ms since the epoch. */
export function hostAfter(known: HostProgress, event: EventOf<"host.state">, at: number): HostProgress {
  const d = event.data;
  const again = event.attempt !== undefined && event.attempt > known.attempt;
  const host = again ? anew(known, event.attempt ?? known.attempt) : known;
  const moved = d.to !== host.state || again;
  const trouble = d.failure?.transient === true;
  const unsettled =
    d.to === "failed" ? host.unsettled || host.fence !== null : host.unsettled && !isSeenAtRest(d);
  const answered =
    d.to === "reverted" || (!CONTACT_CODES.has(d.failure?.code ?? "") && !(moved && INTENTS.has(d.to)));
  return {
    ...host,
    state: d.to,
    since: moved ? at : host.since,
    sinceSeq: moved ? event.seq : host.sinceSeq,
    troubleSince: trouble ? (host.troubleSince ?? at) : null,
    trouble: trouble ? (d.failure?.code ?? null) : null,
    tries: trouble ? host.tries + 1 : 0,
    retryAt: trouble && d.deadline ? Date.parse(d.deadline) : null,
    // Asking again moves it to and fro: that is one and the same wait.
    notNowSince:
      d.failure?.code === NOT_NOW
        ? (host.notNowSince ?? at)
        : d.to === "staged" || d.to === "activating"
          ? host.notNowSince
          : null,
    contactAt: answered ? at : host.contactAt,
    touchedAt: at,
    touchedSeq: event.seq,
    seenSeq: d.failure ? host.seenSeq : event.seq,
    fence: d.fence ?? host.fence,
    previous: d.previous ?? host.previous,
    baselineFailed: d.baselineFailed ?? host.baselineFailed,
    mode: d.mode ?? host.mode,
    bootId: typeof d.detail?.bootId === "string" ? d.detail.bootId : host.bootId,
    deadline: trouble ? host.deadline : (d.deadline ?? (moved ? null : host.deadline)),
    // Why it goes back outlives that it cannot be reached for a while.
    failure:
      trouble && d.to === "reverting" && host.failure
        ? host.failure
        : (d.failure ?? (moved && !["reverting", "reverted"].includes(d.to) ? null : host.failure)),
    health: moved && (d.to === "confirming" || d.to === "updated") ? unknownHealth : host.health,
    bytes: host.bytes + (d.bytes ?? 0),
    committed: isConfirmed(d) || (d.to !== "reverted" && host.committed),
    unsettled,
    inFlightAt: !unsettled ? null : d.failure?.code === STILL_AT_IT ? at : host.inFlightAt,
  };
}

/** A new attempt starts without the marks of the one before. */
function anew(host: HostProgress, attempt: number): HostProgress {
  return {
    ...host,
    attempt,
    fence: null,
    deadline: null,
    failure: null,
    health: unknownHealth,
    evidence: null,
    committed: false,
    mode: "test",
  };
}
