/** What a run knows of one host. Pure data. */
import type { Health } from "../health/evaluate.ts";
import type { EventOf, HostState } from "./events.ts";

export interface HostProgress {
  readonly name: string;
  /** By the plan; null: none, or left out of it. */
  readonly role: string | null;
  readonly site: string | null;
  readonly state: HostState;
  readonly attempt: number;
  /** When it entered `state`, ms since the epoch, and in which place of the journal. */
  readonly since: number;
  readonly sinceSeq: number;
  /** First transient failure of the current state; null while all is well. */
  readonly troubleSince: number | null;
  /** Code of the last transient failure, while there is trouble. */
  readonly trouble: string | null;
  /** Not before this, ms since the epoch. */
  readonly retryAt: number | null;
  /** Transient failures in a row, for the backoff. */
  readonly tries: number;
  /** Since when its owner has been answering "not now" to this attempt, ms since the epoch; null: not asked, or agreed. */
  readonly notNowSince: number | null;
  /** Last time it answered, ms since the epoch; null: not yet in this run. */
  readonly contactAt: number | null;
  /** When the journal last said anything about it, ms since the epoch, and in which place. */
  readonly touchedAt: number;
  readonly touchedSeq: number;
  /** Place of the last event that told where it stands: a resumed run asks hosts whose word is older than itself. */
  readonly seenSeq: number;
  /** Place of its last check if that found everything well; 0: it did not, or there was none. */
  readonly wellSeq: number;
  readonly fence: number | null;
  /** Recorded system to go back to. */
  readonly previous: string | null;
  readonly baselineFailed: readonly string[];
  readonly mode: "test" | "boot";
  /** Boot it was in when activation began: a reboot shows as a different one. */
  readonly bootId: string | null;
  /** When the host reverts itself, ISO 8601. */
  readonly deadline: string | null;
  readonly failure: EventOf<"host.state">["data"]["failure"] | null;
  /** Its health since it began to be proven. */
  readonly health: Health;
  readonly bytes: number;
  readonly evidence: readonly string[] | null;
  /** It has the new system for good, as far as this run knows: a revert must move its profile back, too, and so does an undo. */
  readonly committed: boolean;
  /** Given up after it was told to activate, and not seen at rest since: another attempt changes nothing about that. */
  readonly unsettled: boolean;
  /** While it is unsettled: when it was last seen in flight after it had been given up, ms since the epoch. */
  readonly inFlightAt: number | null;
  readonly wave: number;
}

/** Failures that say "no answer", not "broken". */
export const CONTACT_CODES: ReadonlySet<string> = new Set([
  "unreachable",
  "connection-lost",
  "command-timeout",
]);
/** It answers, and what it was told before is not over there. */
export const STILL_AT_IT = "host-busy";
/** Its owner does not want it to be changed now. */
export const NOT_NOW = "host-not-now";
/** It does not answer now: in trouble for want of contact, or given up as lost. */
export const isSilent = (h: HostProgress): boolean =>
  h.troubleSince !== null
    ? CONTACT_CODES.has(h.trouble ?? "")
    : h.state === "unknown" && CONTACT_CODES.has(h.failure?.code ?? "");

/** Given up in flight for want of an answer: it may have come to its end meanwhile. */
export const isGivenUp = (h: HostProgress): boolean =>
  h.state === "failed" &&
  h.unsettled &&
  (CONTACT_CODES.has(h.failure?.code ?? "") || h.failure?.code === STILL_AT_IT);

/** Names one attempt on one host. */
export const attemptKey = (h: HostProgress): string => `${h.name}/${h.attempt}`;
