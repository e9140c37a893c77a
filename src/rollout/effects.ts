/** What the engine does to the world, one at a time per host, and what comes back. Pure data. */
import type { Failure } from "../errors.ts";
import type { CheckResult, Evidence, Observation } from "../host/protocol.ts";
import type { EventBody } from "./events.ts";

export type Effect =
  | { readonly kind: "observe"; readonly host: string }
  | { readonly kind: "stage"; readonly host: string }
  /** Is everybody else of its critical group healthy right now, and who of those given up is still at it? */
  | { readonly kind: "guard"; readonly host: string }
  | { readonly kind: "activate"; readonly host: string; readonly ignoreConsent?: true }
  | { readonly kind: "check"; readonly host: string; readonly soaking: boolean }
  | { readonly kind: "commit"; readonly host: string }
  /** Idempotent: starts the revert, then observes. `reason` for the host's own record. */
  | { readonly kind: "revert"; readonly host: string; readonly reason: string }
  | { readonly kind: "evidence"; readonly host: string };

export type EffectKind = Effect["kind"];

/** The verdict on one guard: who of the others is healthy, measured just now. */
export interface GuardReading {
  readonly role: string;
  readonly site: string | null;
  readonly healthy: readonly string[];
  readonly unhealthy: readonly string[];
  readonly required: number;
}

/** A host that was given up in flight answers: is it at rest, or in flight still? */
export interface Sign {
  readonly host: string;
  readonly atRest: boolean;
}

export type Outcome =
  | {
      readonly effect: Effect & { readonly kind: "observe" | "revert" };
      readonly ok: true;
      readonly observation: Observation;
    }
  | {
      readonly effect: Effect & { readonly kind: "stage" };
      readonly ok: true;
      readonly bytes: number;
      readonly rebootNeeded: boolean;
      readonly seed?: string;
    }
  | {
      readonly effect: Effect & { readonly kind: "guard" };
      readonly ok: true;
      readonly readings: readonly GuardReading[];
      /** Those of the hosts given up that answer now. */
      readonly givenUp: readonly Sign[];
    }
  | { readonly effect: Effect & { readonly kind: "activate" | "commit" }; readonly ok: true }
  | {
      readonly effect: Effect & { readonly kind: "check" };
      readonly ok: true;
      readonly results: readonly CheckResult[];
    }
  | {
      readonly effect: Effect & { readonly kind: "evidence" };
      readonly ok: true;
      readonly evidence: Evidence;
    }
  | { readonly effect: Effect; readonly ok: false; readonly failure: Failure };

/** Events are journalled first; only then are the effects begun. */
export interface Decision {
  readonly events: readonly EventBody[];
  readonly effects: readonly Effect[];
}

export const NOTHING: Decision = { events: [], effects: [] };
