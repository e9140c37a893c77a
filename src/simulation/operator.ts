/** A person who watches: wakes a dead controller, answers a paused run, and now and then says something at random. [pure] */
import type { RunState } from "../rollout/events.ts";
import type { RolloutState } from "../rollout/state.ts";
import type { PendingCommand } from "../store/store.ts";
import type { Random } from "./random.ts";

export type Word = Omit<PendingCommand, "id">;

const PATIENCE = 8;

/** What to say to a paused run the `n`th time; at last it is aborted. */
export function answer(state: RolloutState, n: number, random: Random): Word {
  const say = (command: PendingCommand["command"], more: Partial<Word> = {}): Word => ({
    command,
    by: "operator",
    ...more,
  });
  if (n > PATIENCE) return say("abort");
  switch (state.reason) {
    case "gate":
      return random.chance(0.9) ? say("promote", random.chance(0.2) ? { full: true } : {}) : say("abort");
    case "failures":
      return random.pick([say("retry"), say("retry"), say("promote"), say("abort")]);
    case "quorum":
    case "deadline":
    case "lease":
    case "uplink":
      return random.chance(0.85) ? say("resume") : say("abort");
    default:
      return say("resume");
  }
}

export function randomWord(random: Random): Word {
  const command = random.pick([
    "pause",
    "pause",
    "resume",
    "promote",
    "retry",
    "retry",
    "abort",
    "undo",
  ] as const);
  return { command, by: "somebody", ...(command === "promote" && random.chance(0.3) ? { full: true } : {}) };
}

/** Words with an aim: to a wave, past all gates, for some hosts. */
export function variedWord(luck: Random, waves: number, hosts: readonly string[]): Word {
  const by = "somebody";
  return luck.pick<() => Word>([
    () => ({ command: "promote", by, toWave: luck.int(1, waves + 1) }),
    () => ({ command: "promote", by, toWave: luck.int(1, waves + 1) }),
    () => ({ command: "promote", by, full: true }),
    () => ({ command: "retry", by, hosts }),
    () => ({ command: "retry", by, hosts }),
    () => ({ command: "pause", by }),
    () => ({ command: "resume", by }),
  ])();
}

export const isOver = (status: RunState): boolean =>
  [
    "aborted",
    "succeeded",
    "succeeded_with_stragglers",
    "failed",
    "rolled_back",
    "rollback_failed",
    "superseded",
  ].includes(status);
