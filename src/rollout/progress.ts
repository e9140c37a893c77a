/** From wave to wave: settle, soak, gate, next; and the bake at the end. Pure. */

import type { PlannedWave } from "../plan/model.ts";
import { iso, moved, runMoved } from "./bodies.ts";
import type { Context } from "./context.ts";
import type { Decision } from "./effects.ts";
import type { EventBody } from "./events.ts";
import { hasAny, hostsIn, tallyOf } from "./groups.ts";
import type { Rules } from "./rules.ts";
import type { RolloutState } from "./state.ts";

type Step = Decision & { readonly wakeAt?: number | null };
const say = (...events: EventBody[]): Step => ({ events, effects: [] });

/** Called when the current wave has nothing left to start. */
export function advanceWave(state: RolloutState, { now, rules }: Context): Step {
  if (state.status === "baking") {
    if (now < (state.soakUntil ?? 0) && !rules.cutShort(state)) return wait(state.soakUntil);
    if (hasAny(state, "open")) return say();
    return silent(state, now) ?? say(finish(state));
  }
  const wave = state.plan.waves[state.wave - 1];
  if (!wave || state.wavePhase === "done") return nextWave(state, now);
  const t = tallyOf(state, wave.index);
  const end: EventBody = {
    type: "wave.end",
    wave: wave.index,
    level: "info",
    msg: `wave ${wave.index} (${wave.label}) done: ${t.ok} updated, ${t.failed} failed, ${t.deferred} deferred`,
    data: { ok: t.ok, failed: t.failed, deferred: t.deferred },
  };
  switch (state.wavePhase) {
    case "updating": {
      if (hasAny(state, "open", wave.index)) return say();
      // The last wave bakes instead of soaking; a wave that changed nothing has nothing to prove.
      if (t.ok === 0 || isLast(state)) return say(end);
      // Without a soak there is still a gate, for whoever wants to be asked.
      if (wave.soakMs === 0)
        return say(state.plan.policy.promote === "auto" ? end : gate(state, wave, rules));
      const until = now + wave.soakMs;
      return say({
        type: "wave.soak",
        wave: wave.index,
        level: "info",
        msg:
          state.soaksCutTo >= wave.index
            ? `wave ${wave.index} (${wave.label}) was promoted before: soaks until each host was seen healthy once more`
            : `wave ${wave.index} (${wave.label}) soaks for ${Math.round(wave.soakMs / 1000)} s`,
        data: { until: iso(until) },
      });
    }
    case "soaking": {
      if (hasAny(state, "open", wave.index)) return say();
      const early = now < (state.soakUntil ?? 0) && t.ok > 0;
      if (early && !rules.cutShort(state, wave.index)) return wait(state.soakUntil);
      const note = early ? "its soak was cut short" : undefined;
      return silent(state, now, wave.index) ?? say(gate(state, wave, rules, note));
    }
    case "gate": {
      if (rules.gateOpen(state, wave.index)) return say(end);
      return say(
        runMoved(state, "paused", `wave ${wave.index} (${wave.label}) is done and waits to be promoted`, {
          reason: "gate",
        }),
      );
    }
  }
}

/** A committed host that stopped answering while it soaked keeps the gate shut, and in the end counts as failed. */
function silent(state: RolloutState, now: number, wave?: number): Step | null {
  const gone = hostsIn(state, "troubled", wave);
  if (gone.length === 0) return null;
  const giveUpAt = (state.soakUntil ?? now) + state.plan.policy.healthyDeadlineMs;
  if (now < giveUpAt) return wait(giveUpAt);
  const message = "stopped answering after its update";
  const hint = `macula-fleet rollout retry ${state.plan.id} asks it again`;
  return say(
    ...gone.map((h) =>
      moved(state, h, "failed", message, {
        failure: { code: "unreachable", message, hint, transient: false },
      }),
    ),
  );
}

function gate(state: RolloutState, { index, label }: PlannedWave, rules: Rules, note?: string): EventBody {
  const open = rules.gateOpen(state, index);
  return {
    type: "wave.gate",
    wave: index,
    level: "info",
    msg: open
      ? `gate after wave ${index} (${label}) is open`
      : `gate after wave ${index} (${label}) waits for promotion`,
    data: { verdict: open ? "open" : "waiting", ...(note === undefined ? {} : { note }) },
  };
}

function nextWave(state: RolloutState, now: number): Step {
  const next = state.plan.waves[state.wave];
  if (next) {
    return say({
      type: "wave.start",
      wave: next.index,
      level: "info",
      msg: `wave ${next.index}/${state.plan.waves.length} (${next.label}): ${next.hosts.length} host${next.hosts.length === 1 ? "" : "s"}`,
      data: { hosts: [...next.hosts] },
    });
  }
  const bake = state.plan.policy.finalBakeMs;
  if (bake > 0 && hasAny(state, "updated") && state.status === "running") {
    return say(
      runMoved(state, "baking", `all waves done, bakes for ${Math.round(bake / 1000)} s`, {
        until: iso(now + bake),
      }),
    );
  }
  return say(finish(state));
}

function finish(state: RolloutState): EventBody {
  const t = tallyOf(state);
  const stragglers = t.deferred > 0 || t.failed > 0;
  return runMoved(
    state,
    stragglers ? "succeeded_with_stragglers" : "succeeded",
    stragglers ? `done, but ${t.failed} failed and ${t.deferred} wait to catch up` : "done",
  );
}

const isLast = (state: RolloutState): boolean => state.wave >= state.plan.waves.length;
const wait = (at: number | null): Step => ({ events: [], effects: [], wakeAt: at });
