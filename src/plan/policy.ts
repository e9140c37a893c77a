/** How a rollout behaves, with every default applied. Pure data; percentages stay symbolic until the plan resolves them. */
import type { Role } from "../inventory/role.ts";

/** An absolute number or a whole percentage; resolved at plan time by `quantity.ts` (contract §4). */
export type Quantity =
  | { readonly kind: "count"; readonly n: number }
  | { readonly kind: "percent"; readonly pct: number };

/** Unless stated; and what one controller can still feed. */
export const COPY_PARALLEL = { usual: 8, most: 256 } as const;

export interface RolePolicy {
  readonly maxUnavailable?: Quantity;
  readonly maxParallel?: Quantity;
  readonly minAvailable?: Quantity;
  /** Hosts of this role that must stay available in each site. */
  readonly minAvailablePerSite?: Quantity;
  readonly soakMs?: number;
}

/** A maintenance window: only starting is gated; what runs may finish. `tz` "site" means the site's own. */
export interface MaintenanceWindow {
  readonly days: readonly ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[];
  /** `HH:MM`, local time. */
  readonly start: string;
  readonly lengthMs: number;
  readonly tz: string;
}

export interface Policy {
  readonly order: readonly Role[];
  readonly canary: {
    readonly count: Quantity;
    readonly max: number;
    readonly spread: readonly ("role" | "site" | "arch" | "hardware" | "version")[];
    /** Selector terms (`--limit` grammar) the canaries must come from. */
    readonly select: readonly string[];
    readonly prefer: readonly string[];
  };
  /** Cumulative targets, growing, the last one everything. Undefined: the ladder for the fleet's size. */
  readonly waves?: readonly Quantity[];
  readonly maxParallel: Quantity;
  /** Upper bound for a percentage; set with the default, absent when the operator named a number. */
  readonly maxParallelCap?: number;
  readonly maxUnavailable: {
    readonly fleet: Quantity;
    readonly site?: Quantity;
    readonly clusters: Readonly<Record<string, Quantity>>;
  };
  /** "Stop when failures > N". */
  readonly maxFailures: {
    readonly canary: Quantity;
    readonly wave: Quantity;
    /** Upper bound in hosts on `wave`, when the inventory states both `{count: 3, percent: 5%}`. */
    readonly waveMax?: number;
    readonly perSite?: number;
  };
  readonly perSite: { readonly activating: number; readonly copying: number };
  /** Hosts are changed against the will of their owners' programs: only ever an operator's word, for one run. */
  readonly ignoreConsent?: true;
  /** Hosts copied to at the same time, in the whole fleet. */
  readonly copyParallel: number;
  readonly roles: Readonly<Partial<Record<Role, RolePolicy>>>;
  readonly onFailure: "pause" | "rollback" | "continue";
  readonly promote: "auto" | "manual";
  readonly confirmTimeoutMs: number;
  readonly minHealthyTimeMs: number;
  readonly healthyDeadlineMs: number;
  readonly progressDeadlineMs: number;
  /** Soak after the canary wave, then after each following wave (the last entry repeats). */
  readonly soak: { readonly canaryMs: number; readonly waveMs: readonly number[] };
  readonly finalBakeMs: number;
  readonly offline: {
    readonly policy: "defer" | "fail" | "skip";
    readonly catchUpMs: number;
    readonly unreachableDeadlineMs: number;
  };
  readonly windows: readonly MaintenanceWindow[];
  readonly reboot: "never" | "if-needed" | "always";
}
