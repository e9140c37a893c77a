/** What the core knows besides the run's own state. Pure data. */
import type { Observation } from "../host/protocol.ts";
import type { PlannedHost } from "../plan/model.ts";
import type { Elsewhere } from "./budgets.ts";
import type { EffectKind } from "./effects.ts";
import type { Rules } from "./rules.ts";
import type { HostProgress, RolloutState } from "./state.ts";

export interface Context {
  readonly now: number;
  /** Effects under way, by host: never two on one host. */
  readonly inFlight: ReadonlyMap<string, EffectKind>;
  /** First ^C: start nothing new, see what runs to its end. */
  readonly draining: boolean;
  readonly fence: number;
  /** When this controller took over, and the journal's last place then: hosts not touched since are asked first. */
  readonly resumedAt: number;
  readonly resumedSeq: number;
  readonly elsewhere: Elsewhere;
  readonly rules: Rules;
}

/** A host as it was just seen, and everything to judge that by. */
export interface Look {
  readonly state: RolloutState;
  readonly host: HostProgress;
  readonly target: PlannedHost;
  readonly seen: Observation;
  readonly context: Context;
}
