/** Into the installer. nixos-anywhere waits for ever at the old address; we look for the machine elsewhere meanwhile. */
import { anywhere } from "./anywhere/phase.ts";
import { keysOf, type PhaseContext } from "./context.ts";
import { findInstaller } from "./whereabouts.ts";

const BETWEEN_LOOKS_MS = 15_000;

export async function kexec(c: PhaseContext, deadlineMs: number): Promise<void> {
  const elsewhere = new AbortController();
  const over = new AbortController();
  const signal = AbortSignal.any([c.signal, over.signal]);
  let watch: Promise<void> | undefined;
  try {
    await anywhere(c, "kexec", deadlineMs, {
      signal: AbortSignal.any([c.signal, elsewhere.signal]),
      onStep: (step) => {
        if (/kexec/.test(step)) watch ??= lookElsewhere(c, deadlineMs, signal, elsewhere);
      },
    });
  } catch (error) {
    if (!elsewhere.signal.aborted || c.signal.aborted) throw error;
  } finally {
    over.abort();
    await watch;
  }
}

async function lookElsewhere(
  c: PhaseContext,
  deadlineMs: number,
  signal: AbortSignal,
  elsewhere: AbortController,
): Promise<void> {
  const { host, clock } = c;
  const facts = c.driver.facts.bind(c.driver);
  const search = { host, hostKeys: keysOf(c), macs: c.target.macs, facts, hints: c.hints, signal };
  try {
    for (;;) {
      await clock.sleep(Math.min(BETWEEN_LOOKS_MS, deadlineMs / 20), signal);
      const found = await findInstaller(search, host);
      if (!found) continue;
      c.place = found;
      c.note(`its installer answers at ${found.address}:${found.port}`);
      elsewhere.abort();
      return;
    }
  } catch {
    // It is over: nixos-anywhere has found it, or given up.
  }
}
