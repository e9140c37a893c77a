/** The promises that keep a fleet alive, each one function. The simulation breaks them one by one, to see that it would notice. Pure. */
import type { Observation } from "../host/protocol.ts";
import type { Plan } from "../plan/model.ts";
import { fits } from "../plan/windows.ts";
import type { Lease } from "../store/store.ts";
import { blockedBy } from "./budgets.ts";
import { isFailed, isUnavailable } from "./classes.ts";
import type { GuardReading } from "./effects.ts";
import { reconcile } from "./reconcile.ts";
import { isCutShort } from "./soak.ts";
import type { HostProgress, RolloutState } from "./state.ts";

export interface Rules {
  /** May one more host be touched? */
  readonly blockedBy: typeof blockedBy;
  /** What does the host's own record say? */
  readonly reconcile: typeof reconcile;
  /** Has it been healthy for long enough to be made permanent? */
  readonly proven: (host: HostProgress) => boolean;
  /** The first group that could not spare the host; undefined: all can. */
  readonly missing: (readings: readonly GuardReading[]) => GuardReading | undefined;
  /** Is there time enough in its maintenance window? */
  readonly fits: typeof fits;
  /** Why the host itself does not want to be changed; null: it does not mind. */
  readonly refusal: (seen: Observation) => string | null;
  /** Is a host changed without asking its owner? */
  readonly ignoresConsent: (plan: Plan) => boolean;
  /** May the next wave begin, this one being done? */
  readonly gateOpen: (state: RolloutState, wave: number) => boolean;
  /** May a soak, or the bake, end before its time? */
  readonly cutShort: typeof isCutShort;
  /** Was it agreed that this staged host is not asked again before some other time? */
  readonly waits: (host: HostProgress, now: number) => boolean;
  /** Hosts of a new run that an unfinished one still has. */
  readonly taken: (plan: Plan, unfinished: RolloutState) => readonly string[];
  /** May a new run take over hosts of an unfinished one? `asked`: an operator said so; `driver`: who drives that. */
  readonly mayTakeOver: (asked: boolean, driver: Lease | null) => boolean;
  /** Does the word to try again mean this host? */
  readonly retried: (named: readonly string[] | undefined, host: HostProgress) => boolean;
  /** Did its run change it, so that an undo puts it back? */
  readonly undone: (host: HostProgress) => boolean;
  /** When its run ends: does the host still count as unavailable? */
  readonly leftBehind: (host: HostProgress) => boolean;
}

export const RULES: Rules = {
  blockedBy,
  cutShort: isCutShort,
  waits: (host, now) => host.retryAt !== null && now < host.retryAt,
  reconcile,
  proven: (host) => host.health.verdict === "healthy",
  missing: (readings) => readings.find((r) => r.healthy.length < r.required),
  fits,
  refusal: ({ hold, lock }) =>
    hold ? `held by ${hold.by}: ${hold.reason}` : lock ? `locked by ${lock.by}: ${lock.reason}` : null,
  ignoresConsent: ({ policy }) => policy.ignoreConsent === true,
  gateOpen: (state, wave) => state.plan.policy.promote === "auto" || state.promotedTo >= wave,
  taken: (plan, { plan: theirs }) => {
    const ours = new Set(plan.hosts.map((h) => h.name));
    return theirs.hosts.filter((h) => ours.has(h.name)).map((h) => h.name);
  },
  mayTakeOver: (asked, driver) => asked && driver === null,
  retried: (named, host) =>
    (isFailed(host) || host.state === "deferred") && (named === undefined || named.includes(host.name)),
  undone: (host) => host.committed && host.previous !== null,
  leftBehind: isUnavailable,
};
