import type { EventBody, FleetEvent, RunState } from "../rollout/events.ts";

/** `r-…` rollouts, `i-…` installs, `b-…` single-host rollbacks. */
export type RunId = string;
export type RunKind = "rollout" | "install" | "rollback";

/** A row of `rollout history`; projected from the journal in the same transaction as each append. */
export interface RunRecord {
  readonly id: RunId;
  readonly kind: RunKind;
  readonly revision: string;
  readonly state: RunState;
  /** The run this one undoes. */
  readonly reverts?: RunId;
  readonly operator: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastSeq: number;
  readonly hosts: number;
}

export interface Lease {
  readonly key: string;
  readonly owner: string;
  /** Grows with every grant of any key, for ever: hosts compare fences across runs and refuse lower ones. */
  readonly fence: number;
  readonly expiresAt: number;
}

/** An operator's word waiting for whoever drives the run. */
export interface PendingCommand {
  readonly id: number;
  readonly command: "pause" | "resume" | "promote" | "abort" | "retry" | "undo";
  readonly by: string;
  readonly toWave?: number;
  readonly full?: boolean;
  readonly hosts?: readonly string[];
}

/** What is known of a host between runs. `seenAt`: last contact, ms since the epoch. */
export interface HostRecord {
  readonly host: string;
  readonly seenAt?: number;
  readonly current?: string;
  readonly generation?: number;
  /** Of `lastHealthy`. */
  readonly revision?: string;
  /** Last system that passed its health checks and was committed: what `rollback` goes to. */
  readonly lastHealthy?: string;
  readonly previousHealthy?: string;
  readonly previousRevision?: string;
  readonly outcome?: "updated" | "reverted" | "failed" | "deferred" | "installed";
  readonly outcomeRun?: RunId;
  /** Kept out of rollouts until `unhold`. */
  readonly held?: { readonly reason: string; readonly by: string; readonly since: number };
  /** Deferred: what it should catch up to, and since when it waits. */
  readonly owes?: { readonly run: RunId; readonly revision: string; readonly since: number };
  /** Left behind by a run while an activation, or the way back, was under way: unavailable until it is seen at rest. */
  readonly unsettled?: {
    readonly run: RunId;
    readonly since: number;
    /** The gateway it was reached through when its run was superseded with it still in flight. */
    readonly via?: string;
  };
}

/** What to change of a host's record: an explicit `undefined` removes a field. */
export type HostChange = Pick<HostRecord, "host"> & {
  readonly [K in keyof HostRecord]?: HostRecord[K] | undefined;
};

/**
 * The fleet's memory. One contract suite (`test/contract/store.ts`) runs on every implementation.
 * Errors: `state-corrupt`, `state-newer`, `store-unavailable`, `lease-lost`; time comes only through `now`.
 */
export interface Store extends AsyncDisposable {
  /** Starts an empty journal. `locked` when the id is taken. */
  create(run: Omit<RunRecord, "lastSeq" | "updatedAt">): Promise<void>;
  /**
   * Durably appends after `expectedSeq` (optimistic concurrency: another writer means `lease-lost`) and returns the
   * events with their places. With `fence`, refuses (`lease-lost`) unless it is the current fence of `run:<id>`:
   * granted last and not released. One transaction for the events, the run's row, the acknowledged commands
   * and what is remembered of hosts.
   * Fenced, the very same append (bodies, `now`) may be repeated when its answer was lost: it then changes nothing.
   * Without `state`, the last `rollout.state` among the bodies decides. Unknown run: `rollout-not-found`.
   */
  append(
    run: RunId,
    expectedSeq: number,
    bodies: readonly EventBody[],
    o: {
      readonly now: number;
      readonly fence?: number;
      readonly state?: RunState;
      /** Commands these events carry out: acknowledged with them or not at all. */
      readonly acknowledge?: readonly number[];
      /** What these events let the fleet remember of hosts, as by `putHost`. */
      readonly hosts?: readonly HostChange[];
    },
  ): Promise<readonly FleetEvent[]>;
  /** Takes over a whole journal from elsewhere, as it is, or (`locked`) nothing when the id exists here already. */
  adopt(run: RunRecord, events: readonly FleetEvent[]): Promise<void>;
  /** In order; `sinceSeq` exclusive. Unknown run: none. */
  events(run: RunId, sinceSeq?: number): Promise<readonly FleetEvent[]>;
  /** Newest first. `active`: true only unfinished runs, false only finished ones. */
  runs(query?: {
    readonly kind?: RunKind;
    readonly limit?: number;
    readonly active?: boolean;
  }): Promise<readonly RunRecord[]>;
  run(id: RunId): Promise<RunRecord | null>;

  /**
   * Grants when free or expired (`expiresAt <= now`); null while it is held, by whomever: holders `renew`.
   * The fence granted is higher than `above`, for hosts that have met the fences of another store.
   */
  lease(key: string, owner: string, ttlMs: number, now: number, above?: number): Promise<Lease | null>;
  /** Throws `lease-lost` when it was granted to another meanwhile or released; merely expired is still ours. */
  renew(lease: Lease, ttlMs: number, now: number): Promise<Lease>;
  /** Frees it at once; does nothing when it is no longer ours. */
  release(lease: Lease): Promise<void>;
  holder(key: string, now: number): Promise<Lease | null>;

  /** Unknown run: `rollout-not-found`. */
  submit(run: RunId, command: Omit<PendingCommand, "id">): Promise<void>;
  /** Commands not yet acknowledged, oldest first. */
  pending(run: RunId): Promise<readonly PendingCommand[]>;
  /** For good; ids of other runs or acknowledged before are ignored. */
  acknowledge(run: RunId, ids: readonly number[]): Promise<void>;

  hosts(): Promise<ReadonlyMap<string, HostRecord>>;
  /** Merges the fields given. */
  putHost(change: HostChange): Promise<void>;
}
