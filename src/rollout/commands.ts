/**
 * An operator's word against the state of a run (rollouts.md §2.2): applied, a no-op, or refused by name.
 * Never silently ignored. Pure.
 */

import type { PendingCommand } from "../store/store.ts";
import { moved, runMoved } from "./bodies.ts";
import { isFailed } from "./classes.ts";
import { type EventBody, TERMINAL_STATES } from "./events.ts";
import type { RolloutState } from "./state.ts";

export type Reply =
  | { readonly kind: "applied"; readonly events: readonly EventBody[]; readonly note: string }
  | { readonly kind: "noop"; readonly note: string }
  | { readonly kind: "refused"; readonly note: string };

type Word = Omit<PendingCommand, "id">;

export function applyCommand(state: RolloutState, word: Word): Reply {
  const refused = (why: string): Reply => ({ kind: "refused", note: `cannot ${word.command}: ${why}` });
  const noop = (note: string): Reply => ({ kind: "noop", note });
  const applied = (note: string, ...events: EventBody[]): Reply => ({
    kind: "applied",
    note,
    events: [record(word, note), ...events],
  });
  const { status } = state;
  const terminal = TERMINAL_STATES.has(status);

  switch (word.command) {
    case "pause":
      if (terminal) return refused(`the rollout is ${status}`);
      if (status === "paused") return noop("already paused");
      if (status === "aborting" || status === "rolling_back") return refused(`the rollout is ${status}`);
      return applied(
        "paused",
        runMoved(state, "paused", `paused by ${word.by}; hosts in flight finish`, "operator"),
      );

    case "resume":
      if (terminal) return refused(`the rollout is ${status}`);
      if (status !== "paused") return noop(`the rollout is ${status}, not paused`);
      if (state.reason === "gate") return refused("it waits at a gate: use promote");
      if (state.reason === "failures" && failuresStand(state)) {
        return refused("the failed hosts still stand: retry them, abort, or undo");
      }
      return applied("resumed", runMoved(state, "running", `resumed by ${word.by}`));

    case "promote": {
      if (terminal || status === "aborting" || status === "rolling_back")
        return refused(`the rollout is ${status}`);
      const events = status === "paused" ? [runMoved(state, "running", `promoted by ${word.by}`)] : [];
      const waitsHere = state.wavePhase === "gate" || state.wavePhase === "soaking" || status === "paused";
      if (!waitsHere && word.full !== true && word.toWave === undefined) {
        return refused("no gate is waiting; --full passes the remaining ones");
      }
      return applied(word.full ? "promoted past every gate" : "promoted", ...events);
    }

    case "abort":
      if (terminal) return refused(`the rollout is ${status}`);
      if (status === "aborting") return noop("already aborting");
      if (status === "rolling_back") return refused("the rollout is rolling_back");
      return applied(
        "aborting",
        runMoved(state, "aborting", `aborted by ${word.by}; hosts in flight finish or revert`),
      );

    case "retry": {
      if (status === "aborting" || status === "rolling_back") return refused(`the rollout is ${status}`);
      if (status === "succeeded" || status === "rolled_back" || status === "superseded")
        return refused(`the rollout is ${status}`);
      const again = [...state.hosts.values()].filter(
        (h) =>
          h.wave > 0 &&
          (isFailed(h) || h.state === "deferred") &&
          (word.hosts === undefined || word.hosts.includes(h.name)),
      );
      if (again.length === 0 && status !== "paused" && !terminal)
        return refused("no failed or deferred host to try again");
      const events = again.map((h) => ({
        ...moved(state, h, "pending", `tried again by ${word.by}`),
        attempt: h.attempt + 1,
      }));
      const run =
        status === "running" || status === "baking"
          ? []
          : [runMoved(state, "running", `resumed by ${word.by} to retry`)];
      const wave = again.length > 0 ? Math.min(...again.map((h) => h.wave)) : null;
      // Earlier waves are walked again from the first host that is tried again; settled hosts are passed over.
      const back: EventBody[] =
        wave !== null && (wave < state.wave || state.wavePhase !== "updating") ? [reopen(state, wave)] : [];
      return applied(`${again.length} host(s) tried again`, ...events, ...run, ...back);
    }

    case "undo":
      return refused("an undo is a rollout of its own: macula-fleet rollout undo");
  }
}

/** Could it just go on? Not while the failures that stopped it are still there. */
function failuresStand(state: RolloutState): boolean {
  const wave = state.plan.waves[state.wave - 1];
  if (!wave) return false;
  const failed = wave.hosts.filter((name) => {
    const host = state.hosts.get(name);
    return host !== undefined && isFailed(host);
  });
  return failed.length > wave.maxFailures;
}

function reopen(state: RolloutState, index: number): EventBody {
  const wave = state.plan.waves[index - 1];
  return {
    type: "wave.start",
    wave: index,
    level: "info",
    msg: `wave ${index} (${wave?.label ?? ""}) again, for the hosts that are retried`,
    data: { hosts: [...(wave?.hosts ?? [])] },
  };
}

function record(word: Word, note: string): EventBody {
  return {
    type: "rollout.command",
    level: "info",
    msg: `${word.by}: ${word.command} (${note})`,
    data: {
      command: word.command,
      by: word.by,
      ...(word.toWave === undefined ? {} : { toWave: word.toWave }),
      ...(word.full === undefined ? {} : { full: word.full }),
      ...(word.hosts === undefined ? {} : { hosts: [...word.hosts] }),
    },
  };
}
