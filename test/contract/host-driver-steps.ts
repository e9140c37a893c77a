/** The subject of the host driver's contract, and the steps its tests are made of. */
import { expect } from "vitest";
import { type ErrorCode, FleetError } from "../../src/errors.ts";
import type { Activation, HostDriver, HostOperations } from "../../src/host/driver.ts";
import type { Observation } from "../../src/host/protocol.ts";
import type { CheckConfig, Host } from "../../src/inventory/model.ts";

/** What a system does when it is activated or booted. */
export type Behaviour =
  | "good"
  | "activation-fails" // switch-to-configuration exits 2
  | "unit-fails" // exits 4, one of its units has failed
  | "needs-reboot" // exits 100: another init
  | "no-boot" // exits 100, and does not come up either
  | "cuts-network";

export interface OwnersNo {
  readonly reason: string;
  /** Seconds since the epoch; 0: it does not say. */
  readonly until: number;
  readonly broken?: true;
}

export interface DriverSubject extends AsyncDisposable {
  readonly driver: HostDriver & HostOperations;
  readonly host: Host;
  /** The unit that fails in a `unit-fails` system. */
  readonly unit: string;
  /** Builds a new system for the host, without copying it; a store path. */
  make(behaviour: Behaviour): Promise<string>;
  /** Takes the power away, gives it back, and returns when the host answers again. */
  powerCycle(): Promise<void>;
  /** What a program of its owner answers from now on: nothing (null), "not now" for a reason until then, or it fails. */
  ownerSays(no: OwnersNo | null): Promise<void>;
  /** From now on nobody reaches the host, until it activates another system. */
  cutNetwork(): Promise<void>;
}

const signal = new AbortController().signal;
/** Long enough for a step between two contacts, short enough to wait for. */
export const CONFIRM_MS = 4000;
export const units: CheckConfig = { name: "units", type: "systemd" };

export class Steps {
  readonly #subject: () => DriverSubject;
  #run = 0;
  fence = 100;

  constructor(subject: () => DriverSubject) {
    this.#subject = subject;
  }

  get subject(): DriverSubject {
    return this.#subject();
  }

  observe(activation?: Activation): Promise<Observation> {
    const { driver, host } = this.subject;
    return driver.observe(host, { signal, ...(activation === undefined ? {} : { activation }) });
  }

  /** A new run from what the host runs now to a new system, staged. */
  async begin(behaviour: Behaviour, more: Partial<Activation> = {}): Promise<Activation> {
    const { driver, host } = this.subject;
    const [to, seen] = await Promise.all([this.subject.make(behaviour), this.observe()]);
    const activation: Activation = {
      rollout: `r-${++this.#run}`,
      attempt: 1,
      fence: ++this.fence,
      from: seen.current,
      to,
      mode: "test",
      confirmTimeoutMs: CONFIRM_MS,
      ...more,
    };
    await driver.stage(host, activation, { signal });
    return activation;
  }

  activate(a: Activation): Promise<void> {
    return this.subject.driver.activate(this.subject.host, a, { signal });
  }

  commit(a: Activation): Promise<void> {
    return this.subject.driver.commit(this.subject.host, a, { signal });
  }

  revert(a: Activation): Promise<void> {
    return this.subject.driver.revert(this.subject.host, a, "operator", { signal });
  }

  check(a: Activation, checks: readonly CheckConfig[] = [units]) {
    return this.subject.driver.check(this.subject.host, {
      signal,
      activation: a,
      checks,
      baselineFailed: [],
    });
  }

  /** Asks until the host's own record says so; a host that cannot be reached meanwhile is asked again. */
  async until(a: Activation, phase: string): Promise<Observation> {
    let last = "never reached";
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      try {
        const seen = await this.observe(a);
        last = `${seen.state?.rollout} ${seen.state?.phase} rc=${seen.state?.rc} on ${seen.current}`;
        if (seen.state?.rollout === a.rollout && seen.state.phase === phase) return seen;
      } catch (error) {
        if (!(error instanceof FleetError) || !error.transient) throw error;
        last = error.message;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`waited in vain for ${phase} of ${a.rollout}; last: ${last}`);
  }
}

/** The operation fails with exactly this code. */
export async function refused(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const outcome = await promise.then(
    () => "no error",
    (error: unknown) => (error instanceof FleetError ? error.code : String(error)),
  );
  expect(outcome).toBe(code);
}
