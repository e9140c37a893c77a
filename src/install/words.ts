/** What operators say to a running installation from elsewhere; nothing that is in flight is torn down for it. */
import { FleetError } from "../errors.ts";
import type { Clock } from "../kernel/clock.ts";
import { applyCommand, eventsOf } from "../rollout/commands.ts";
import type { PendingCommand, Store } from "../store/store.ts";
import type { RunJournal } from "./journal.ts";

export interface Told {
  /** Begin no further machine. */
  readonly pause: AbortSignal;
  /** Nor go on with one whose disk is untouched. */
  readonly abort: AbortSignal;
}

const LOOK_MS = 250;

/** Listens until `life` ends. Each word is in the journal before it is obeyed. */
export function listen(
  journal: RunJournal,
  { store, clock }: { readonly store: Pick<Store, "pending">; readonly clock: Clock },
  life: AbortSignal,
): Told & { readonly over: Promise<void> } {
  const pause = new AbortController();
  const abort = new AbortController();
  const stop = (word: PendingCommand["command"], by: string) => {
    pause.abort(new FleetError("interrupted", `${word} by ${by}`));
    if (word === "abort") abort.abort(new FleetError("interrupted", `aborted by ${by}`));
  };
  // Its controller died while it was being aborted: it still is.
  if (journal.state.status === "aborting") stop("abort", "an operator");
  const obey = async (word: PendingCommand) => {
    await journal.append((s) => eventsOf(answer(s, word)), [word.id]);
    if (word.command === "pause" || word.command === "abort") stop(word.command, word.by);
  };
  const over = (async () => {
    while (!life.aborted) {
      // A store that is away for a moment has no words for us; the journal's own writes tell when it stays away.
      for (const word of await store.pending(journal.state.plan.id).catch(() => [])) await obey(word);
      await clock.sleep(LOOK_MS, life);
    }
  })().catch(() => undefined);
  return { pause: pause.signal, abort: abort.signal, over };
}

/** The words for waves and gates mean nothing here. */
export const answer: typeof applyCommand = (state, word) =>
  word.command === "pause" || word.command === "abort"
    ? applyCommand(state, word)
    : { kind: "refused", note: `cannot ${word.command}: machines are installed by phases, not in waves` };
