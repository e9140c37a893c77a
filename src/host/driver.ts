import type { CheckConfig, Host } from "../inventory/model.ts";
import type { Secret } from "../kernel/secret.ts";
import type { CheckResult, Evidence, Generation, HostFacts, Observation } from "./protocol.ts";

/** Names one activation on one host. All operations are idempotent for the same key. */
export interface Activation {
  readonly rollout: string;
  readonly attempt: number;
  readonly fence: number;
  /** Recorded store path to go back to. */
  readonly from: string;
  readonly to: string;
  /** `boot`: set for the next boot and reboot (kernel or init changed); else activate live. */
  readonly mode: "test" | "boot";
  /** The host reverts itself when nobody reaches it for this long after the activation began. */
  readonly confirmTimeoutMs: number;
  /** May the host reboot (once, into `to`) when a live switch is impossible? Default true. */
  readonly mayReboot?: boolean;
  /** Units whose failure never speaks against `to`, besides those that had failed before. */
  readonly ignoreUnits?: readonly string[];
  /** Activate without asking the programs of the host's owner: an operator said so. Default false. */
  readonly ignoreConsent?: boolean;
}

export interface Call {
  readonly signal: AbortSignal;
}

/** A file that must be on a host and never in the store. */
export interface HostSecret {
  readonly path: string;
  readonly mode: number;
  readonly content: Secret;
}

/**
 * The operations a rollout performs on one host (see `scripts/`). Implementations: `ssh-driver.ts` over a session,
 * and the model host of the simulation. Every method throws `FleetError`; a failed check or activation is a value.
 */
export interface HostDriver {
  /** One read-only round trip. `fresh`: over a new TCP connection. */
  observe(
    host: Host,
    o: Call & { readonly activation?: Activation; readonly fresh?: boolean },
  ): Promise<Observation>;
  /**
   * Makes `to` complete in the host's store and roots it; resumable by store path. Bytes are what crossed the uplink,
   * `seed` the neighbour that brought the rest.
   */
  stage(
    host: Host,
    activation: Activation,
    o: Call,
  ): Promise<{
    readonly bytes: number;
    readonly paths: number;
    readonly rebootNeeded: boolean;
    readonly seed?: string;
  }>;
  /**
   * Puts these files there, whole or not at all, each with its mode; answers the paths whose content changed. Their
   * units restart with the next activation, or now with `restart`.
   */
  deliver(
    host: Host,
    secrets: readonly HostSecret[],
    o: Call & { readonly fence?: number; readonly restart?: boolean },
  ): Promise<readonly string[]>;
  /** Arms the revert timer, records the attempt, starts the activation unit; returns once it runs on its own. */
  activate(host: Host, activation: Activation, o: Call): Promise<void>;
  /** Runs the checks over a NEW connection and, having reached the host, puts its revert off once more. */
  check(
    host: Host,
    o: Call & {
      readonly activation?: Activation;
      readonly checks: readonly CheckConfig[];
      readonly baselineFailed: readonly string[];
    },
  ): Promise<readonly CheckResult[]>;
  /** Over a NEW connection: profile and boot default become `to`, the timer is disarmed. */
  commit(host: Host, activation: Activation, o: Call): Promise<void>;
  /** Back to `from`, also after a commit; returns once the host does it on its own. */
  revert(host: Host, activation: Activation, reason: string, o: Call): Promise<void>;
  evidence(host: Host, activation: Activation, o: Call): Promise<Evidence>;
  /** Removes gc roots and run files of a finished activation. */
  release(host: Host, activation: Activation, o: Call): Promise<void>;
  generations(host: Host, o: Call): Promise<readonly Generation[]>;
}

/** Who does something, and why: kept on the host and shown to the next one who meets it. */
export interface HostNote {
  readonly by: string;
  readonly reason: string;
}

/** What an operator asks of single hosts, outside of rollouts. Same errors as `HostDriver`. */
export interface HostOperations {
  /** Keeps activations away until `unhold`, or until `until` (seconds since the epoch by the host's clock). */
  hold(host: Host, note: HostNote & { readonly until?: number }, o: Call): Promise<void>;
  unhold(host: Host, o: Call): Promise<void>;
  /** Like a hold, but one person's: somebody else's lock is `host-held`. */
  lock(host: Host, note: HostNote, o: Call): Promise<void>;
  unlock(host: Host, o: Call): Promise<void>;
  /** Returns before the machine goes down; `host-busy` while a run or a switch is under way. */
  reboot(host: Host, o: Call & { readonly fence?: number }): Promise<void>;
  /** Deletes generations but the `keep` newest, never what a rollback would go to; `freed` in KiB. */
  gc(
    host: Host,
    o: Call & { readonly keep: number },
  ): Promise<{ readonly generations: readonly number[]; readonly freed: number }>;
  /** What an installation needs to know; works on any Linux. */
  facts(host: Host, o: Call): Promise<HostFacts>;
}
