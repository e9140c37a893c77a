import { FleetError } from "../../src/errors.ts";
import type { Activation, HostDriver, HostSecret } from "../../src/host/driver.ts";
import type { CheckResult, Observation } from "../../src/host/protocol.ts";

/** A host reduced to what the engine can see of it: a labelled stand-in for unit tests of the engine. */
export interface FakeHost {
  current: string;
  profile: string;
  phase: "none" | "activated" | "committed" | "reverted";
  attempt: number;
  rollout: string;
  fence: number;
  from: string;
  reason: string | null;
  healthy: (system: string) => boolean;
  reachable: boolean;
  /** Every activation that really began: the proof that nothing is activated twice. */
  activations: string[];
  /** What its owner's program says, asked for the nth time; null: it agrees. */
  objection: (nth: number) => { readonly askAgainMs?: number } | null;
  asked: number;
  revertAt: number | null;
}

export class FakeFleet implements HostDriver {
  readonly hosts = new Map<string, FakeHost>();
  readonly calls: string[] = [];

  add(name: string, current: string, healthy: (system: string) => boolean = () => true): FakeHost {
    const host: FakeHost = {
      current,
      profile: current,
      phase: "none",
      attempt: 0,
      rollout: "",
      fence: 0,
      from: current,
      reason: null,
      healthy,
      reachable: true,
      activations: [],
      objection: () => null,
      asked: 0,
      revertAt: null,
    };
    this.hosts.set(name, host);
    return host;
  }

  #host(name: string, call: string): FakeHost {
    this.calls.push(`${call} ${name}`);
    const host = this.hosts.get(name);
    if (!host?.reachable) throw new FleetError("unreachable", `${name} does not answer`);
    if (host.revertAt !== null && Date.now() >= host.revertAt) this.#revert(host, "timeout");
    return host;
  }

  #revert(host: FakeHost, reason: string): void {
    Object.assign(host, {
      current: host.from,
      profile: host.from,
      phase: "reverted",
      reason,
      revertAt: null,
    });
  }

  /** Contents by host and path: what the hosts were given. */
  readonly delivered = new Map<string, Readonly<Record<string, string>>>();

  async deliver(h: { name: string }, secrets: readonly HostSecret[]): Promise<readonly string[]> {
    this.#host(h.name, "deliver");
    this.delivered.set(h.name, Object.fromEntries(secrets.map((s) => [s.path, s.content.reveal()])));
    return secrets.map((s) => s.path);
  }

  async observe(h: { name: string }): Promise<Observation> {
    const host = this.#host(h.name, "observe");
    return {
      schema: 1,
      hostname: h.name,
      os: { id: "nixos", version: "26.05", variant: "" },
      arch: "x86_64-linux",
      bootId: "boot-1",
      uptime: 1,
      clock: 1,
      current: host.current,
      booted: host.profile,
      profile: host.profile,
      generation: 1,
      bootDefault: host.profile,
      loader: "lab",
      rebootPending: false,
      failedUnits: [],
      systemState: "running",
      state:
        host.phase === "none"
          ? null
          : {
              schema: 1,
              rollout: host.rollout,
              attempt: host.attempt,
              fence: host.fence,
              from: host.from,
              to: host.current,
              mode: "test",
              phase: host.phase,
              rc: 0,
              reason: host.reason,
              bootId: "boot-1",
              baselineFailed: [],
            },
      activateActive: false,
      revertArmed: host.phase === "activated",
      revertIn: null,
      closureValid: true,
      disk: { storeFree: 1e6, bootFree: 1e6, rootFree: 1e6 },
      memory: 1e6,
      hold: null,
      lock: null,
      foreign: [],
      otherRuns: [],
      nix: "2.26",
      elevation: "root",
      trustedUser: true,
    };
  }

  async stage(h: { name: string }) {
    this.#host(h.name, "stage");
    return { bytes: 10, paths: 1, rebootNeeded: false };
  }

  async activate(h: { name: string }, a: Activation) {
    const host = this.#host(h.name, "activate");
    const key = `${a.rollout}/${a.attempt}`;
    if (host.phase !== "none" && host.rollout === a.rollout && host.attempt === a.attempt) return;
    const no = a.ignoreConsent ? null : host.objection(++host.asked);
    if (no) throw new FleetError("host-not-now", `${h.name}: not now: the shop is open (10-shop)`, no);
    host.activations.push(key);
    Object.assign(host, {
      phase: "activated",
      rollout: a.rollout,
      attempt: a.attempt,
      fence: a.fence,
      from: a.from,
      current: a.to,
      revertAt: Date.now() + a.confirmTimeoutMs,
    });
  }

  async check(h: { name: string }, o: { activation?: Activation }): Promise<CheckResult[]> {
    const host = this.#host(h.name, "check");
    if (o.activation && host.revertAt !== null) host.revertAt = Date.now() + o.activation.confirmTimeoutMs;
    const ok = host.healthy(host.current);
    return [{ name: "app", type: "command", status: ok ? "ok" : "failed", message: ok ? "" : "app is down" }];
  }

  async commit(h: { name: string }) {
    const host = this.#host(h.name, "commit");
    if (host.phase !== "activated" && host.phase !== "committed")
      throw new FleetError("host-protocol", "not activated");
    Object.assign(host, { phase: "committed", profile: host.current, revertAt: null });
  }

  async revert(h: { name: string }, _a: Activation, reason: string) {
    this.#revert(this.#host(h.name, "revert"), reason);
  }

  async evidence(h: { name: string }) {
    this.#host(h.name, "evidence");
    return { failedUnits: ["app.service"], log: [], journal: [], closureDiff: [] };
  }

  async release() {}
  async generations() {
    return [];
  }
}
