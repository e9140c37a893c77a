/** What an effect's outcome means for its host: outcome -> events (and the effect they commit to). Pure. */

import type { Failure } from "../errors.ts";
import type { CheckResult, Observation } from "../host/protocol.ts";
import type { PlannedHost } from "../plan/model.ts";
import { about, iso, moved, runMoved } from "./bodies.ts";
import { blockedBy } from "./budgets.ts";
import type { Context } from "./decide.ts";
import { type Decision, NOTHING, type Outcome } from "./effects.ts";
import type { EventBody, HostState } from "./events.ts";
import { reconcile } from "./reconcile.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { backoffMs, pollMs } from "./timing.ts";

type OutcomeOf<K extends Outcome["effect"]["kind"]> = Extract<Outcome, { ok: true; effect: { kind: K } }>;

export function interpret(state: RolloutState, outcome: Outcome, context: Context): Decision {
  const host = state.hosts.get(outcome.effect.host);
  const target = state.plan.hosts.find((h) => h.name === outcome.effect.host);
  if (!host || !target) return NOTHING;
  if (!outcome.ok) return say(...failed(state, host, outcome.effect.kind, outcome.failure, context));
  switch (outcome.effect.kind) {
    case "observe":
    case "revert": {
      const { observation } = outcome as OutcomeOf<"observe">;
      return say(
        ...(host.state === "preflight"
          ? preflight(state, host, target, observation, context)
          : observed(state, host, target, observation, context)),
      );
    }
    case "stage": {
      const { bytes, rebootNeeded } = outcome as OutcomeOf<"stage">;
      if (host.state !== "staging") return NOTHING;
      const { reboot } = state.plan.policy;
      const mode = reboot === "always" || (reboot === "if-needed" && rebootNeeded) ? "boot" : "test";
      return say(
        moved(state, host, "staged", bytes > 0 ? `copied ${bytes} bytes` : "already had everything", {
          bytes,
          mode,
        }),
      );
    }
    case "guard":
      return guarded(state, host, target, (outcome as OutcomeOf<"guard">).readings, context);
    case "activate":
      return NOTHING; // The intent is journalled; the host's own record tells the rest.
    case "commit":
      return host.state === "committing"
        ? say(moved(state, host, "updated", "runs the new system, for good"))
        : NOTHING;
    case "check":
      return say(...checked(state, host, (outcome as OutcomeOf<"check">).results));
    case "evidence": {
      const { evidence } = outcome as OutcomeOf<"evidence">;
      const lines = [
        ...evidence.failedUnits.map((u) => `failed unit: ${u}`),
        ...evidence.log.map((l) => `log: ${l}`),
        ...evidence.journal.map((l) => `journal: ${l}`),
        ...evidence.closureDiff.map((l) => `changed: ${l}`),
      ];
      return say({
        ...about(state, host),
        type: "host.log",
        level: "info",
        msg: `evidence of ${host.name}`,
        data: { lines },
      });
    }
  }
}

const say = (...events: EventBody[]): Decision => ({ events, effects: [] });

/** The first look: is there anything to do here, and may it be done? */
function preflight(
  state: RolloutState,
  host: HostProgress,
  target: PlannedHost,
  seen: Observation,
  context: Context,
): EventBody[] {
  const go = (to: HostState, msg: string, extra: Parameters<typeof moved>[4] = {}) => [
    moved(state, host, to, msg, extra),
  ];
  const file = seen.state;
  if (file?.rollout === state.plan.id && file.attempt === host.attempt && file.phase !== "reverted") {
    // A crash between the effect and its journal entry: the host is further than we knew.
    const found = reconcile(
      { state, host: { ...host, previous: file.from }, to: target.to, fence: context.fence },
      seen,
    );
    if (found) return [found];
  }
  if (seen.current === target.to && seen.profile === target.to) return go("skipped", "already runs it");
  if (seen.hold !== null) return go("deferred", `held by ${seen.hold.by}: ${seen.hold.reason}`);
  if (seen.lock !== null) return go("deferred", `locked by ${seen.lock.by}: ${seen.lock.reason}`);
  if (
    target.from !== null &&
    seen.current !== target.from &&
    seen.current !== target.to &&
    !state.plan.force
  ) {
    const message = `runs ${seen.current}, but the plan was made for ${target.from}`;
    return go("drifted", message, {
      failure: {
        code: "plan-stale",
        message,
        hint: "plan again, or take it anyway with --force",
        transient: false,
      },
    });
  }
  const previous = seen.current === target.to && seen.profile !== "" ? seen.profile : seen.current;
  return go("staging", "copies what is missing", {
    previous,
    baselineFailed: seen.failedUnits,
    detail: { bootId: seen.bootId, storeFreeKiB: seen.disk.storeFree },
  });
}

function observed(
  state: RolloutState,
  host: HostProgress,
  target: PlannedHost,
  seen: Observation,
  context: Context,
): EventBody[] {
  const found = reconcile({ state, host, to: target.to, fence: context.fence }, seen);
  if (found) {
    const fenced = found.type === "host.state" && found.data.failure?.code === "host-fenced";
    return fenced && state.status === "running"
      ? [found, runMoved(state, "paused", "another controller has taken over hosts of this rollout", "lease")]
      : [found];
  }
  // Contact is worth an entry only where it ends trouble or answers a resume; else polling would fill the journal.
  const stale = Math.max(host.since, host.contactAt ?? 0) < context.resumedAt;
  const inTrouble = host.troubleSince !== null || host.state === "unknown";
  return stale ||
    inTrouble ||
    host.state === "reverting" ||
    host.state === "activating" ||
    host.state === "rebooting"
    ? [{ ...moved(state, host, host.state, "answered; still at it"), level: "debug" }]
    : [];
}

/** Guards answered: the slot is taken only if nothing changed meanwhile. */
function guarded(
  state: RolloutState,
  host: HostProgress,
  target: PlannedHost,
  readings: readonly OutcomeOf<"guard">["readings"][number][],
  context: Context,
): Decision {
  if (host.state !== "staged" || state.status !== "running" || context.draining) return NOTHING;
  const broken = readings.find((r) => r.healthy.length < r.required);
  if (broken) {
    const where = broken.site === null ? "in the fleet" : `in ${broken.site}`;
    const msg = `${host.name} may not be touched: ${broken.required} other ${broken.role} host(s) ${where} must be healthy, ${broken.healthy.length} are (not: ${broken.unhealthy.join(", ")})`;
    return say(runMoved(state, "paused", msg, "quorum", msg));
  }
  const index = new Map(state.plan.hosts.map((h) => [h.name, h]));
  const others = new Set(
    [...context.inFlight]
      .filter(([name, kind]) => kind === "guard" && name !== host.name)
      .map(([name]) => name),
  );
  if (blockedBy(state, index, target, others, context.elsewhere) !== null) return NOTHING;
  const deadline = iso(context.now + state.plan.policy.confirmTimeoutMs);
  return {
    events: [
      moved(
        state,
        host,
        "activating",
        host.mode === "boot" ? "sets it for the next boot and restarts" : "activates",
        { fence: context.fence, deadline, mode: host.mode },
      ),
    ],
    effects: [{ kind: "activate", host: host.name }],
  };
}

function checked(state: RolloutState, host: HostProgress, results: readonly CheckResult[]): EventBody[] {
  const bad = results.filter((r) => r.status === "failed");
  const notNow = results.filter((r) => r.status === "retry");
  const healthy = bad.length === 0 && notNow.length === 0;
  const msg = healthy
    ? `${results.length} checks ok`
    : [...bad, ...notNow].map((r) => `${r.name}: ${r.message}`).join("; ");
  const check: EventBody = {
    ...about(state, host),
    type: "host.check",
    level: healthy ? "debug" : "warn",
    msg,
    data: { results: [...results], healthy },
  };
  // A committed host that turns bad while it soaks goes back: it failed, only later.
  if (host.state === "updated" && bad.length > 0) {
    const failure = {
      code: "health-failed",
      message: `unhealthy after its update: ${msg}`,
      transient: false,
    };
    return [check, moved(state, host, "reverting", failure.message, { failure })];
  }
  return host.state === "updated" || host.state === "confirming" ? [check] : [];
}

function failed(
  state: RolloutState,
  host: HostProgress,
  kind: string,
  failure: Failure,
  context: Context,
): EventBody[] {
  const data = {
    code: failure.code,
    message: failure.message,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    transient: failure.transient,
  };
  const retryAt = context.now + backoffMs(host, state.plan.policy);
  const again = () =>
    moved(state, host, host.state, `${failure.message}; tried again`, {
      failure: { ...data, transient: true },
      deadline: iso(retryAt),
    });
  const soon = () =>
    moved(state, host, host.state, failure.message, {
      failure: { ...data, transient: true },
      deadline: iso(context.now + pollMs(state.plan.policy) * 2 ** Math.min(host.tries, 4)),
    });

  switch (host.state) {
    case "preflight":
    case "staging":
    case "staged":
      if (kind === "guard") return [again()];
      if (!failure.transient) return [moved(state, host, "failed", failure.message, { failure: data })];
      if (context.now - (host.troubleSince ?? context.now) < state.plan.policy.offline.unreachableDeadlineMs)
        return [again()];
      return [offline(state, host, data)];
    case "activating":
      // The intent is written; whether the host saw it, only the host can say.
      if (kind === "activate" && !failure.transient) {
        return [moved(state, host, "failed", failure.message, { failure: data })];
      }
      return [soon()];
    case "committing":
      return failure.transient
        ? [soon()]
        : [moved(state, host, "unknown", `commit refused: ${failure.message}`, { failure: data })];
    case "updated":
      return [soon()];
    case "reverted":
    case "failed":
      // Evidence could not be had: say so once and do not ask again.
      return [
        {
          ...about(state, host),
          type: "host.log",
          level: "warn",
          msg: `no evidence: ${failure.message}`,
          data: { lines: [`no evidence: ${failure.message}`] },
        },
      ];
    default:
      return [soon()];
  }
}

function offline(
  state: RolloutState,
  host: HostProgress,
  failure: NonNullable<HostProgress["failure"]>,
): EventBody {
  const to = { defer: "deferred", fail: "failed", skip: "skipped" } as const;
  return moved(state, host, to[state.plan.policy.offline.policy], `out of reach: ${failure.message}`, {
    failure,
  });
}
