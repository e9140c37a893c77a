/** Restarting one host so that it is known to be back: a new boot, the expected system, healthy. */
import pMap from "p-map";
import { FleetError, toFailure } from "../errors.ts";
import type { HostDriver, HostOperations } from "../host/driver.ts";
import type { Observation } from "../host/protocol.ts";
import type { CheckConfig, Host, HostName } from "../inventory/model.ts";
import type { Clock } from "../kernel/clock.ts";
import type { QuorumGuard } from "../plan/model.ts";

export interface RebootDeps {
  readonly driver: Pick<HostDriver, "observe" | "check"> & Pick<HostOperations, "reboot">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly checks: (host: Host) => readonly CheckConfig[];
  readonly guards: readonly QuorumGuard[];
  /** Every host of the inventory: guards look at hosts that stay, too. */
  readonly hosts: ReadonlyMap<HostName, Host>;
  /** A host lower than this one's newest controller refuses. */
  readonly fence: number;
  /** For the new boot, ms. */
  readonly bootDeadlineMs: number;
  /** From the new boot to healthy, ms. */
  readonly healthyDeadlineMs: number;
  readonly onStep?: (host: HostName, text: string) => void;
}

export interface Rebooted {
  readonly system: string;
  readonly bootId: string;
  /** From the request to healthy. */
  readonly tookMs: number;
}

const POLL_MS = 1_000;
const LOOK_MS = 15_000;

/** Throws what kept it from being restarted (`host-held`, `host-busy`, `needs-human`) or from coming back. */
export async function rebootHost(host: Host, deps: RebootDeps): Promise<Rebooted> {
  const { driver, clock, signal } = deps;
  const before = await driver.observe(host, { signal, fresh: true });
  refuse(host, before);
  await keepQuorum(host, deps);
  const began = clock.now();
  await driver.reboot(host, { signal, fence: deps.fence });
  deps.onStep?.(host.name, "restarting");
  const after = await nextBoot(host, before, deps);
  const expected = before.bootDefault || before.profile;
  if (expected !== "" && after.current !== expected) {
    throw new FleetError(
      "activation-failed",
      `${host.name} came up with ${after.current}, not with ${expected}`,
      {
        hint: `macula-fleet drift ${host.name}`,
      },
    );
  }
  deps.onStep?.(host.name, "back; checking its health");
  await untilHealthy(host, before, deps);
  return { system: after.current, bootId: after.bootId, tookMs: clock.now() - began };
}

function refuse(host: Host, o: Observation): void {
  const note = o.hold ?? o.lock;
  if (note) {
    throw new FleetError(
      "host-held",
      `${host.name} is ${o.hold ? "held" : "locked"} by ${note.by}: ${note.reason}`,
      {
        hint: `macula-fleet ${o.hold ? "unhold" : "unlock"} ${host.name}`,
      },
    );
  }
  if (o.state?.phase === "activating" || o.state?.phase === "activated" || o.otherRuns.length > 0) {
    const run = o.state?.rollout ?? o.otherRuns[0] ?? "a run";
    throw new FleetError("host-busy", `${host.name} is under test by ${run}: a restart would revert it`, {
      hint: `wait for it: macula-fleet rollout status ${run}`,
    });
  }
}

/** Counts, right now and over new connections, who else of its groups is healthy. Throws `needs-human`. */
async function keepQuorum(host: Host, deps: RebootDeps): Promise<void> {
  for (const guard of deps.guards.filter((g) => g.members.includes(host.name))) {
    const others = guard.members.filter((name) => name !== host.name);
    const healthy = await pMap(others, (name) => isHealthy(name, deps), { concurrency: 8 });
    const left = healthy.filter(Boolean).length;
    if (left >= guard.required) continue;
    const missing = others.filter((_, i) => !healthy[i]);
    const scope = guard.site === null ? "" : ` of ${guard.site}`;
    throw new FleetError(
      "needs-human",
      `${host.name} stays up: only ${left} other ${guard.role} hosts${scope} are healthy, ${guard.required} must be`,
      {
        hint: `mend ${missing.join(", ")} first: macula-fleet status ${missing.join(" ")}`,
      },
    );
  }
}

async function isHealthy(name: HostName, { hosts, driver, checks, signal }: RebootDeps): Promise<boolean> {
  const host = hosts.get(name);
  if (!host) return false;
  try {
    const results = await driver.check(host, { signal, checks: checks(host), baselineFailed: [] });
    return results.every((r) => r.status === "ok");
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function nextBoot(host: Host, before: Observation, deps: RebootDeps): Promise<Observation> {
  const { driver, clock, signal, bootDeadlineMs } = deps;
  const until = clock.now() + bootDeadlineMs;
  let said = "it still runs the old boot";
  while (clock.now() < until) {
    await clock.sleep(POLL_MS, signal);
    try {
      const look = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
      const seen = await driver.observe(host, { signal: look, fresh: true });
      if (seen.bootId !== before.bootId) return seen;
    } catch (error) {
      signal.throwIfAborted();
      const failure = toFailure(error);
      if (failure.code === "host-key-changed") throw error;
      said = failure.message;
    }
  }
  throw new FleetError(
    "activation-failed",
    `${host.name} did not come back within ${Math.round(bootDeadlineMs / 1000)} s: ${said}`,
    {
      hint: "look at its console; a boot that hangs falls back where a hardware watchdog runs",
    },
  );
}

async function untilHealthy(host: Host, before: Observation, deps: RebootDeps): Promise<void> {
  const { clock, signal } = deps;
  const until = clock.now() + deps.healthyDeadlineMs;
  for (;;) {
    const trouble = await troubleOf(host, before, deps);
    if (trouble === null) return;
    if (clock.now() >= until) {
      throw new FleetError("health-failed", `${host.name} is back but not healthy: ${trouble}`, {
        hint: `macula-fleet exec -l ${host.name} -- systemctl --failed`,
      });
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function troubleOf(host: Host, before: Observation, deps: RebootDeps): Promise<string | null> {
  const { driver, signal } = deps;
  try {
    const checks = deps.checks(host);
    const results = await driver.check(host, { signal, checks, baselineFailed: before.failedUnits });
    return results.find((r) => r.status !== "ok")?.message ?? null;
  } catch (error) {
    signal.throwIfAborted();
    return toFailure(error).message;
  }
}
