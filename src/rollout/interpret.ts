/** What an effect's outcome means for its host: outcome -> events (and the effect they commit to). Pure. */

import type { CheckResult, Observation } from "../host/protocol.ts";
import { alreadyThere } from "./already-there.ts";
import { isAtRest } from "./at-rest.ts";
import { about, moved, runMoved } from "./bodies.ts";
import { isAtRisk } from "./classes.ts";
import type { Context, Look } from "./context.ts";
import { type Decision, NOTHING, type Outcome } from "./effects.ts";
import type { EventBody, HostState } from "./events.ts";
import { resurfaced } from "./given-up.ts";
import { guarded } from "./guarded.ts";
import { interpretFailure } from "./interpret-failure.ts";
import { isRolledBack, sendBack } from "./roll-back.ts";
import { type HostProgress, isGivenUp, type RolloutState } from "./state.ts";

type OutcomeOf<K extends Outcome["effect"]["kind"]> = Extract<Outcome, { ok: true; effect: { kind: K } }>;

export function interpret(state: RolloutState, outcome: Outcome, context: Context): Decision {
  const host = state.hosts.get(outcome.effect.host);
  const target = state.targets.get(outcome.effect.host);
  if (!host || !target) return NOTHING;
  if (!outcome.ok)
    return say(...interpretFailure(state, host, outcome.effect.kind, outcome.failure, context));
  switch (outcome.effect.kind) {
    case "observe":
    case "revert": {
      const { observation } = outcome as OutcomeOf<"observe" | "revert">;
      const look: Look = { state, host, target, seen: observation, context };
      if (host.state === "preflight") return say(...preflight(look));
      if (isGivenUp(host)) return say(...resurfaced(look));
      if (!isAtRisk(host)) return NOTHING; // An answer that nobody waits for any more.
      // Cut short by a restart: what began without its guards' objection goes on without asking them again.
      const cutShort =
        isRolledBack(host) && observation.state?.phase === "reverting" && !observation.revertArmed;
      const events = observed(look);
      return { events, effects: cutShort ? [sendBack(host)] : [] };
    }
    case "stage": {
      const { bytes, rebootNeeded, seed } = outcome as OutcomeOf<"stage">;
      if (host.state !== "staging") return NOTHING;
      const { reboot } = state.plan.policy;
      const mode = reboot === "always" || (reboot === "if-needed" && rebootNeeded) ? "boot" : "test";
      return say(
        moved(state, host, "staged", copiedText(bytes, seed), {
          bytes,
          mode,
          ...(seed === undefined ? {} : { detail: { seed } }),
        }),
      );
    }
    case "guard":
      return guarded(state, host, target, outcome as OutcomeOf<"guard">, context);
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
function preflight(look: Look): EventBody[] {
  const { state, host, target, seen, context } = look;
  const go = (to: HostState, msg: string, extra: Parameters<typeof moved>[4] = {}) => [
    moved(state, host, to, msg, extra),
  ];
  const file = seen.state;
  if (file?.rollout === state.plan.id && file.attempt === host.attempt && file.phase !== "reverted") {
    // A crash between the effect and its journal entry: the host is further than we knew.
    const found = context.rules.reconcile(
      {
        state,
        host: { ...host, previous: file.from },
        to: target.to,
        fence: context.fence,
        now: context.now,
      },
      seen,
    );
    if (found) return [found];
  }
  if (!isAtRest(seen)) {
    const what = file === null ? "a run" : `attempt ${file.attempt} of ${file.rollout}`;
    const failure = { code: "host-busy", message: `${what} is not over there`, transient: true } as const;
    return interpretFailure(state, host, "observe", failure, context);
  }
  const there = alreadyThere(look);
  if (there) return [there];
  const refusal = context.rules.refusal(seen);
  if (refusal !== null) return go("deferred", refusal);
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
  return go("staging", "copies what is missing", {
    previous: seen.current,
    baselineFailed: seen.failedUnits,
    detail: { bootId: seen.bootId, storeFreeKiB: seen.disk.storeFree },
  });
}

function observed({ state, host, target, seen, context }: Look): EventBody[] {
  const { fence, now } = context;
  const found = context.rules.reconcile({ state, host, to: target.to, fence, now }, seen);
  if (found && abandoned(host, seen, found, context)) {
    const again = moved(
      state,
      host,
      "pending",
      "reverted itself while no controller was there; it is tried again",
    );
    return [{ ...again, attempt: host.attempt + 1 }];
  }
  const refusal = found && backToStart(found) ? context.rules.refusal(seen) : null;
  if (refusal !== null) return [moved(state, host, "deferred", refusal)];
  if (found) {
    const fenced = found.type === "host.state" && found.data.failure?.code === "host-fenced";
    return fenced && (state.status === "running" || state.status === "baking")
      ? [
          found,
          runMoved(state, "paused", "another controller has taken over hosts of this rollout", {
            reason: "lease",
          }),
        ]
      : [found];
  }
  // Contact is worth an entry only where it ends trouble or answers a resume; else polling would fill the journal.
  const stale = host.seenSeq <= context.resumedSeq;
  const inTrouble = host.troubleSince !== null || host.state === "unknown";
  return stale ||
    inTrouble ||
    host.state === "reverting" ||
    host.state === "activating" ||
    host.state === "rebooting"
    ? [{ ...moved(state, host, host.state, "answered; still at it"), level: "debug" }]
    : [];
}

/** Nothing had begun: it is about to be touched as if for the first time. */
const backToStart = (found: EventBody): boolean =>
  found.type === "host.state" && (found.data.to === "staged" || found.data.to === "staging");

/** It went back only because its controller had died before it could confirm: no fault of the new system. */
function abandoned(host: HostProgress, seen: Observation, found: EventBody, context: Context): boolean {
  const stale = host.seenSeq <= context.resumedSeq;
  return (
    stale && found.type === "host.state" && found.data.to === "reverted" && seen.state?.reason === "timeout"
  );
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

function copiedText(bytes: number, seed: string | undefined): string {
  if (seed !== undefined) return `took it from ${seed}; ${bytes} bytes were copied there`;
  return bytes > 0 ? `copied ${bytes} bytes` : "already had everything";
}
