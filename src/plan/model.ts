/** A rollout plan: everything a rollout will do, decided before it does anything. Pure data, saved and run as JSON. */
import type { HostName, Role } from "../inventory/model.ts";
import type { MaintenanceWindow, Policy } from "./policy.ts";

/** How a symbolic quantity came out for this rollout, kept to be printed: `canary 10 % of 7 -> 1`. */
export interface Resolution {
  readonly name: string;
  readonly asked: string;
  readonly base: number;
  readonly value: number;
}

export interface PlannedHost {
  readonly name: HostName;
  readonly role: Role;
  readonly roles: readonly Role[];
  readonly site: string | null;
  readonly arch: string;
  readonly cluster: string | null;
  /** Innermost bastion or gateway host that must stay up while this one is in flight; inventory host name. */
  readonly via: HostName | null;
  /** System it ran when planned; null: not known yet (offline then). */
  readonly from: string | null;
  readonly to: string;
  /** Bytes to copy at most (whole closure); 0 when unknown. */
  readonly closureBytes: number;
  /** Neighbour it takes its closure from; absent: everything is copied to it. */
  readonly seed?: HostName;
  /** Windows that gate its start, time zones resolved; empty: always. */
  readonly windows: readonly MaintenanceWindow[];
  /** Why it is in its wave: `canary: only aarch64 peer of gent`. */
  readonly why: string;
}

export interface PlannedWave {
  /** 1-based. */
  readonly index: number;
  readonly kind: "canary" | "wave";
  /** `canary`, `50 %`, `100 % gateway`. */
  readonly label: string;
  readonly hosts: readonly HostName[];
  /** Stop when failures > this. */
  readonly maxFailures: number;
  readonly soakMs: number;
}

/** Hosts this rollout leaves alone, and why. `state` is how they count at the end. */
export interface Exclusion {
  readonly host: HostName;
  readonly state: "skipped" | "deferred";
  readonly reason: string;
}

/** The policy with every quantity turned into a number for the selected set. */
export interface Limits {
  readonly maxParallel: number;
  readonly maxUnavailable: number;
  /** By site; one that is not named has no limit of its own. */
  readonly maxUnavailablePerSite: Readonly<Record<string, number>>;
  readonly maxUnavailablePerCluster: Readonly<Record<string, number>>;
  readonly maxUnavailablePerRole: Readonly<Partial<Record<Role, number>>>;
  readonly maxParallelPerRole: Readonly<Partial<Record<Role, number>>>;
  readonly maxFailuresPerSite: number | null;
  readonly activatingPerSite: number;
  readonly copyingPerSite: number;
  /** Sites whose uplink carries another number of copies at once. */
  readonly copyingBySite: Readonly<Record<string, number>>;
  readonly copying: number;
}

/** A guard over hosts that must stay available while one of them is touched. */
export interface QuorumGuard {
  readonly role: Role;
  /** null: the whole fleet. */
  readonly site: string | null;
  /** Every active host of that role and scope in the inventory, selected or not. */
  readonly members: readonly HostName[];
  /** Healthy members, not counting the one about to be touched, that must be there. */
  readonly required: number;
}

export interface Plan {
  readonly schema: 1;
  readonly id: string;
  readonly kind: "rollout" | "undo" | "rollback";
  readonly fleet: string;
  readonly revision: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly hosts: readonly PlannedHost[];
  readonly waves: readonly PlannedWave[];
  readonly excluded: readonly Exclusion[];
  readonly limits: Limits;
  readonly guards: readonly QuorumGuard[];
  readonly policy: Policy;
  readonly resolutions: readonly Resolution[];
  readonly warnings: readonly string[];
  readonly reverts?: string;
  /** Take hosts even though they run neither `from` nor `to`. */
  readonly force: boolean;
  /** SHA-256 over everything that decides what is done: what `--yes` confirms and a saved plan is checked by. */
  readonly hash: string;
}
