/** A store that is away for a while is waited for: hosts keep themselves safe meanwhile. */
import { FleetError } from "../errors.ts";
import type { Clock } from "../kernel/clock.ts";

const FIRST_MS = 250;
const LONGEST_MS = 5_000;
/** Beyond this somebody has to look: every host in flight went back long ago. */
export const PATIENCE_MS = 10 * 60_000;

/**
 * Repeats `work` while it throws `store-unavailable`. The work must be safe to repeat after a lost answer, so
 * whatever it says about time is fixed before it comes here. Ends with the last error, or the signal's reason.
 */
export async function patiently<T>(clock: Clock, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let waited = 0;
  for (let pause = FIRST_MS; ; pause = Math.min(LONGEST_MS, pause * 2)) {
    try {
      return await work();
    } catch (error) {
      const away = error instanceof FleetError && error.code === "store-unavailable";
      if (!away || waited >= PATIENCE_MS) throw error;
    }
    await clock.sleep(pause, signal);
    waited += pause;
  }
}
