/**
 * An operator's word against the state of a run (rollouts.md §2.2): applied, a no-op, or refused by name.
 * Never silently ignored. Pure.
 */

import type { PendingCommand } from "../store/store.ts";
import { moved, runMoved } from "./bodies.ts";
import { failureVerdict } from "./budgets.ts";
import { type EventBody, TERMINAL_STATES } from "./events.ts";
import { promote } from "./promote.ts";
import { RULES, type Rules } from "./rules.ts";
import type { RolloutState } from "./state.ts";

export type Reply =
  | { readonly kind: "applied"; readonly events: readonly EventBody[]; readonly note: string }
  | { readonly kind: "noop"; readonly note: string }
  | { readonly kind: "refused"; readonly note: string };

type Word = Omit<PendingCommand, "id">;

export function applyCommand(state: RolloutState, word: Word, rules: Rules = RULES): Reply {
  const { status } = state;
  const refused = (why = `the rollout is ${status}`): Reply => ({
    kind: "refused",
    note: `cannot ${word.command}: ${why}`,
  });
  const noop = (note: string): Reply => ({ kind: "noop", note });
  const applied = (note: string, ...events: EventBody[]): Reply => ({
    kind: "applied",
    note,
    events: [record(word, note), ...events],
  });
  const terminal = TERMINAL_STATES.has(status);
  const waiting = status === "planned" || status === "queued";
  const leaving = status === "aborting" || status === "rolling_back";

  switch (word.command) {
    case "pause":
      if (terminal || leaving) return refused();
      if (status === "paused") return noop("already paused");
      return applied(
        "paused",
        runMoved(state, "paused", `paused by ${word.by}; hosts in flight finish`, { reason: "operator" }),
      );

    case "resume":
      if (status !== "paused") return refused(terminal ? undefined : `the rollout is ${status}, not paused`);
      if (state.reason === "gate") return refused("it waits at a gate: use promote");
      if (state.reason === "failures" && failureVerdict(state) !== null)
        return refused("the failed hosts still stand: retry them, promote past them, abort, or undo");
      return applied("resumed", runMoved(state, "running", `resumed by ${word.by}`));

    case "promote": {
      if (terminal || leaving || waiting) return refused();
      const reply = promote(state, word);
      if (reply.kind !== "applied") return "why" in reply ? refused(reply.why) : noop(reply.note);
      const events = status === "paused" ? [runMoved(state, "running", `promoted by ${word.by}`)] : [];
      return { ...reply, events: [record(word, reply.note, reply.cutShort), ...events] };
    }

    case "abort":
      if (terminal) return refused();
      if (leaving) return noop(`already ${status}`);
      return applied(
        "aborting",
        runMoved(state, "aborting", `aborted by ${word.by}; hosts in flight finish or revert`),
      );

    case "retry":
      if (leaving || waiting || (terminal && !RETRIED.has(status))) return refused();
      return retry(state, word, rules, refused, applied);

    case "undo":
      return refused("an undo is a rollout of its own: macula-fleet rollout undo");
  }
}

/** Ended, but with something left to try. */
const RETRIED: ReadonlySet<string> = new Set(["succeeded_with_stragglers", "failed"]);

function retry(
  state: RolloutState,
  word: Word,
  { retried }: Rules,
  refused: (why?: string) => Reply,
  applied: (note: string, ...events: EventBody[]) => Reply,
): Reply {
  const again = [...state.hosts.values()].filter((h) => h.wave > 0 && retried(word.hosts, h));
  const first = again[0];
  if (first === undefined)
    return refused(`the rollout is ${state.status}; no failed or deferred host to try again`);
  const events = again.map((h) => ({
    ...moved(state, h, "pending", `tried again by ${word.by}`),
    attempt: h.attempt + 1,
  }));
  const run =
    state.status === "running" ? [] : [runMoved(state, "running", `resumed by ${word.by} to retry`)];
  const wave = again.reduce((least, h) => Math.min(least, h.wave), first.wave);
  // Earlier waves are walked again from the first host that is tried again; settled hosts are passed over.
  const back = wave < state.wave || state.wavePhase !== "updating" ? [reopen(state, wave)] : [];
  return applied(`${again.length} host(s) tried again`, ...events, ...run, ...back);
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

function record(word: Word, note: string, cutShort?: string): EventBody {
  return {
    type: "rollout.command",
    level: "info",
    msg: `${word.by}: ${word.command} (${note})`,
    data: {
      command: word.command,
      by: word.by,
      ...(word.toWave === undefined ? {} : { toWave: word.toWave }),
      ...(word.full === undefined ? {} : { full: word.full }),
      ...(cutShort === undefined ? {} : { cutShort }),
      ...(word.hosts === undefined ? {} : { hosts: [...word.hosts] }),
    },
  };
}

/** What the journal gets of it, whatever came of it. */
export function eventsOf(reply: Reply): readonly EventBody[] {
  if (reply.kind === "applied") return reply.events;
  const level = reply.kind === "refused" ? "warn" : "info";
  return [{ type: "diagnostic", level, msg: reply.note, data: { code: `command-${reply.kind}` } }];
}
