/** The promises that keep a fleet alive, each one function. The simulation breaks them one by one, to see that it would notice. Pure. */
import { blockedBy } from "./budgets.ts";
import type { GuardReading } from "./effects.ts";
import { reconcile } from "./reconcile.ts";
import type { HostProgress } from "./state.ts";

export interface Rules {
  /** May one more host be touched? */
  readonly blockedBy: typeof blockedBy;
  /** What does the host's own record say? */
  readonly reconcile: typeof reconcile;
  /** Has it been healthy for long enough to be made permanent? */
  readonly proven: (host: HostProgress) => boolean;
  /** The first group that could not spare the host; undefined: all can. */
  readonly missing: (readings: readonly GuardReading[]) => GuardReading | undefined;
}

export const RULES: Rules = {
  blockedBy,
  reconcile,
  proven: (host) => host.health.verdict === "healthy",
  missing: (readings) => readings.find((r) => r.healthy.length < r.required),
};
