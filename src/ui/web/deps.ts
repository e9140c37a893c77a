import type { Clock } from "../../kernel/clock.ts";
import type { Store } from "../../store/store.ts";

export interface WebDeps {
  readonly store: Pick<Store, "runs" | "run" | "events">;
  readonly clock: Clock;
  readonly isLab: boolean;
  /** Ends every open stream. */
  readonly signal: AbortSignal;
  /** How often the journal is looked at, milliseconds; default 500. */
  readonly pollMs?: number;
}
