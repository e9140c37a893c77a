/** Effects made real: one effect -> one outcome. Nothing is thrown past here but aborts; failures are data. */
import pMap, { pMapSkip } from "p-map";
import { toFailure } from "../errors.ts";
import type { Activation, HostDriver, HostSecret } from "../host/driver.ts";
import type { CheckConfig, Host, HostName } from "../inventory/model.ts";
import { isAtRest } from "./at-rest.ts";
import type { Effect, GuardReading, Outcome, Sign } from "./effects.ts";
import { hostsIn } from "./groups.ts";
import type { RolloutState } from "./state.ts";

/** Hosts that one guard asks at the same moment. */
const GUARDS_AT_ONCE = 8;

export interface Performer {
  readonly driver: HostDriver;
  /** Every host of the inventory: guards look at hosts outside the rollout too. */
  readonly hosts: ReadonlyMap<HostName, Host>;
  readonly checks: (host: Host) => readonly CheckConfig[];
  /** What a host must have besides its system. Absent: nothing. Throws `secret-unavailable`. */
  readonly secrets?: (host: Host) => Promise<readonly HostSecret[]>;
}

export async function perform(
  performer: Performer,
  state: RolloutState,
  effect: Effect,
  fence: number,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return await run(performer, state, effect, fence, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { effect, ok: false, failure: toFailure(error) };
  }
}

async function run(
  p: Performer,
  state: RolloutState,
  effect: Effect,
  fence: number,
  signal: AbortSignal,
): Promise<Outcome> {
  const { driver } = p;
  const host = hostOf(p, effect.host);
  const progress = state.hosts.get(effect.host);
  const activation: Activation = {
    ...activationOf(state, effect.host, fence),
    mayReboot: state.plan.policy.reboot !== "never",
    ignoreUnits: ignoredUnits(p.checks(host)),
  };
  switch (effect.kind) {
    case "observe":
      // Contact that proves anything must not ride on a connection from before the activation.
      return {
        effect,
        ok: true,
        observation: await driver.observe(host, {
          signal,
          activation,
          fresh: progress?.state !== "preflight",
        }),
      };
    case "stage": {
      // A way back must not need what may be unreadable now: it goes to what was there before. Read before bytes move.
      const secrets = state.plan.kind === "rollout" ? await p.secrets?.(host) : undefined;
      const { bytes, rebootNeeded, seed } = await driver.stage(host, activation, { signal });
      if (secrets !== undefined && secrets.length > 0) await driver.deliver(host, secrets, { signal, fence });
      return { effect, ok: true, bytes, rebootNeeded, ...(seed === undefined ? {} : { seed }) };
    }
    case "guard": {
      const [readings, givenUp] = await Promise.all([
        readGuards(p, state, effect.host, signal),
        askGivenUp(p, state, effect.host, signal),
      ]);
      return { effect, ok: true, readings, givenUp };
    }
    case "activate":
      await driver.activate(
        host,
        effect.ignoreConsent ? { ...activation, ignoreConsent: true } : activation,
        { signal },
      );
      return { effect, ok: true };
    case "check": {
      const results = await driver.check(host, {
        signal,
        ...(effect.soaking ? {} : { activation }),
        checks: p.checks(host),
        baselineFailed: progress?.baselineFailed ?? [],
      });
      return { effect, ok: true, results };
    }
    case "commit":
      await driver.commit(host, activation, { signal });
      return { effect, ok: true };
    case "revert":
      await driver.revert(host, activation, effect.reason, { signal });
      return {
        effect,
        ok: true,
        observation: await driver.observe(host, { signal, activation, fresh: true }),
      };
    case "evidence":
      return { effect, ok: true, evidence: await driver.evidence(host, activation, { signal }) };
  }
}

/** Units whose failure the fleet's own checks overlook must not make a host go back either. */
function ignoredUnits(checks: readonly CheckConfig[]): readonly string[] {
  return checks.flatMap((check) =>
    check.type === "systemd" && Array.isArray(check.ignore) ? check.ignore.map(String) : [],
  );
}

export function activationOf(state: RolloutState, name: HostName, fence: number): Activation {
  const progress = state.hosts.get(name);
  const planned = state.targets.get(name);
  return {
    rollout: state.plan.id,
    attempt: progress?.attempt ?? 1,
    fence,
    from: progress?.previous ?? planned?.from ?? "",
    to: planned?.to ?? "",
    mode: progress?.mode ?? "test",
    confirmTimeoutMs: state.plan.policy.confirmTimeoutMs,
  };
}

/** Looks at every other member of the groups this host belongs to, now and over new connections. */
async function readGuards(
  p: Performer,
  state: RolloutState,
  name: HostName,
  signal: AbortSignal,
): Promise<GuardReading[]> {
  const guards = state.plan.guards.filter((g) => g.members.includes(name));
  const others = [...new Set(guards.flatMap((g) => g.members))].filter((m) => m !== name);
  const healthy = new Set<HostName>();
  await pMap(
    others,
    async (member) => {
      const host = p.hosts.get(member);
      if (!host || state.hosts.get(member)?.state === "unknown") return;
      try {
        const results = await p.driver.check(host, { signal, checks: p.checks(host), baselineFailed: [] });
        if (results.every((r) => r.status === "ok")) healthy.add(member);
      } catch {
        signal.throwIfAborted(); // Out of reach is not healthy; why does not matter here.
      }
    },
    { concurrency: GUARDS_AT_ONCE },
  );
  return guards.map((g) => {
    const rest = g.members.filter((m) => m !== name);
    return {
      role: g.role,
      site: g.site,
      required: g.required,
      healthy: rest.filter((m) => healthy.has(m)),
      unhealthy: rest.filter((m) => !healthy.has(m)),
    };
  });
}

/** A host given up without power goes on where it was once it has power again: then its slot is its own again. */
async function askGivenUp(
  p: Performer,
  state: RolloutState,
  name: HostName,
  signal: AbortSignal,
): Promise<Sign[]> {
  return pMap(
    hostsIn(state, "doubtful").filter((h) => h.name !== name),
    async ({ name: other }) => {
      const host = p.hosts.get(other);
      if (!host) return pMapSkip;
      try {
        return { host: other, atRest: isAtRest(await p.driver.observe(host, { signal, fresh: true })) };
      } catch {
        signal.throwIfAborted();
        return pMapSkip; // Silent as before.
      }
    },
    { concurrency: GUARDS_AT_ONCE },
  );
}

function hostOf(p: Performer, name: HostName): Host {
  const host = p.hosts.get(name);
  if (!host) throw new TypeError(`the plan names ${name}, the inventory does not`);
  return host;
}
