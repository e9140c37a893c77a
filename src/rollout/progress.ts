/** From wave to wave: settle, soak, gate, next; and the bake at the end. Pure. */

import { iso, moved, runMoved } from "./bodies.ts";
import { hostsOfWave, isSettled, tally } from "./classes.ts";
import type { Context } from "./context.ts";
import type { Decision, Effect } from "./effects.ts";
import type { EventBody } from "./events.ts";
import type { HostProgress, RolloutState } from "./state.ts";
import { soakCheckMs } from "./timing.ts";

type Step = Decision & { readonly wakeAt?: number | null };
const say = (...events: EventBody[]): Step => ({ events, effects: [] });

/** Called when the current wave has nothing left to start. */
export function advanceWave(state: RolloutState, { now }: Context): Step {
  if (state.status === "baking") {
    if (now < (state.soakUntil ?? 0)) return wait(state.soakUntil);
    const all = [...state.hosts.values()];
    if (!all.every(isSettled)) return say();
    return silent(state, all, now) ?? say(finish(state));
  }
  const wave = state.plan.waves[state.wave - 1];
  if (!wave || state.wavePhase === "done") return nextWave(state, now);
  const hosts = hostsOfWave(state, wave.index);
  const t = tally(hosts);
  const end: EventBody = {
    type: "wave.end",
    wave: wave.index,
    level: "info",
    msg: `wave ${wave.index} (${wave.label}) done: ${t.ok} updated, ${t.failed} failed, ${t.deferred} deferred`,
    data: { ok: t.ok, failed: t.failed, deferred: t.deferred },
  };
  switch (state.wavePhase) {
    case "updating": {
      if (!hosts.every(isSettled)) return say();
      // The last wave bakes instead of soaking; a wave that changed nothing has nothing to prove.
      if (t.ok === 0 || isLast(state)) return say(end);
      // Without a soak there is still a gate, for whoever wants to be asked.
      if (wave.soakMs === 0)
        return say(state.plan.policy.promote === "auto" ? end : gate(state, wave.index, wave.label));
      const until = now + wave.soakMs;
      return say({
        type: "wave.soak",
        wave: wave.index,
        level: "info",
        msg: `wave ${wave.index} (${wave.label}) soaks for ${Math.round(wave.soakMs / 1000)} s`,
        data: { until: iso(until) },
      });
    }
    case "soaking":
      if (!hosts.every(isSettled)) return say();
      if (now < (state.soakUntil ?? 0) && hosts.some((h) => h.state === "updated"))
        return wait(state.soakUntil);
      return silent(state, hosts, now) ?? say(gate(state, wave.index, wave.label));
    case "gate": {
      const open = state.plan.policy.promote === "auto" || state.promotedTo >= wave.index;
      if (open) return say(end);
      return say(
        runMoved(
          state,
          "paused",
          `wave ${wave.index} (${wave.label}) is done and waits to be promoted`,
          "gate",
        ),
      );
    }
  }
}

/** A committed host that stopped answering while it soaked keeps the gate shut, and in the end counts as failed. */
function silent(state: RolloutState, hosts: readonly HostProgress[], now: number): Step | null {
  const gone = hosts.filter((h) => h.state === "updated" && h.troubleSince !== null);
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

function gate(state: RolloutState, index: number, label: string): EventBody {
  const open = state.plan.policy.promote === "auto" || state.promotedTo >= index;
  return {
    type: "wave.gate",
    wave: index,
    level: "info",
    msg: open
      ? `gate after wave ${index} (${label}) is open`
      : `gate after wave ${index} (${label}) waits for promotion`,
    data: { verdict: open ? "open" : "waiting" },
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
  const updated = [...state.hosts.values()].some((h) => h.state === "updated");
  if (bake > 0 && updated && state.status === "running") {
    return say(
      runMoved(
        state,
        "baking",
        `all waves done, bakes for ${Math.round(bake / 1000)} s`,
        undefined,
        iso(now + bake),
      ),
    );
  }
  return say(finish(state));
}

function finish(state: RolloutState): EventBody {
  const t = tally(state.hosts.values());
  const stragglers = t.deferred > 0 || t.failed > 0;
  return runMoved(
    state,
    stragglers ? "succeeded_with_stragglers" : "succeeded",
    stragglers ? `done, but ${t.failed} failed and ${t.deferred} wait to catch up` : "done",
  );
}

const isLast = (state: RolloutState): boolean => state.wave >= state.plan.waves.length;
const wait = (at: number | null): Step => ({ events: [], effects: [], wakeAt: at });

/** Committed hosts stay under watch while their wave soaks and while the rollout bakes. */
export function soakChecks(
  state: RolloutState,
  { now, inFlight }: Context,
): Decision & { wakeAt: number | null } {
  const baking = state.status === "baking";
  const hosts = baking ? [...state.hosts.values()] : hostsOfWave(state, state.wave);
  const length = baking ? state.plan.policy.finalBakeMs : (state.plan.waves[state.wave - 1]?.soakMs ?? 0);
  const every = soakCheckMs(state.plan.policy, length);
  const effects: Effect[] = [];
  let wakeAt: number | null = null;
  for (const host of hosts) {
    if (host.state !== "updated" || inFlight.has(host.name)) continue;
    const due = host.retryAt ?? (host.touchedAt > now ? now : host.touchedAt + every);
    if (now >= due) effects.push({ kind: "check", host: host.name, soaking: true });
    else wakeAt = wakeAt === null ? due : Math.min(wakeAt, due);
  }
  return { events: [], effects, wakeAt };
}
