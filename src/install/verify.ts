/** Only a new boot of exactly the system we built, under the key we made, and healthy, is "installed". */
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import type { PhaseContext } from "./context.ts";

/** The host as it must prove itself from now on, at each place it may have come up; hints are asked for last. */
export async function* newSelves(c: PhaseContext): AsyncGenerator<Host> {
  const { host, signal, place } = c;
  const pinned: Host = { ...host, identity: { ...host.identity, hostKeys: [c.identity.publicKey] } };
  yield pinned;
  if (host.bastion !== null || c.standIn) return;
  const seen = new Set([host.address]);
  const elsewhere = function* (addresses: readonly string[]) {
    for (const address of addresses) {
      if (!seen.has(address)) yield { ...pinned, address };
      seen.add(address);
    }
  };
  if (place !== null) yield* elsewhere([place.address]);
  yield* elsewhere(await c.hints({ name: host.name, macs: c.target.macs }, { signal }).catch(() => []));
}

export async function verify(c: PhaseContext, deadlineMs: number): Promise<void> {
  const { clock, signal } = c;
  const until = clock.now() + deadlineMs;
  let last = "it has not answered yet";
  for (;;) {
    let first = true;
    for await (const self of newSelves(c)) {
      const verdict = await look(c, self);
      if (verdict === null) {
        if (!first) {
          c.note(`runs the new system at ${self.address}, not at ${c.host.address}: correct its address`);
        }
        return;
      }
      if (first) last = verdict;
      first = false;
    }
    if (clock.now() >= until) break;
    await clock.sleep(Math.min(5_000, deadlineMs / 50), signal);
  }
  throw new FleetError("install-failed", `the new system did not prove itself: ${last}`, {
    hint: "look at the machine's screen; macula-fleet install --continue looks again",
  });
}

/** Null: it is what it should be. */
async function look(c: PhaseContext, self: Host): Promise<string | null> {
  const { signal } = c;
  try {
    const seen = await c.driver.observe(self, { signal, fresh: true });
    if (seen.os.variant === "installer")
      return "it is in an installer again: remove the stick, or correct the boot order";
    if (seen.current !== c.target.toplevel)
      return `it runs ${seen.current || "no system"}, not ${c.target.toplevel}`;
    if (seen.bootId === c.target.bootId) return "it has not restarted yet";
    const results = await c.driver.check(self, { signal, checks: c.checks, baselineFailed: [] });
    const bad = results.filter((r) => r.status !== "ok");
    return bad.length === 0 ? null : bad.map((r) => `${r.name}: ${r.message}`).join("; ");
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FleetError)) throw error;
    // Another key is the old system or the installer for as long as it has not restarted.
    const waits = error.transient || error.code === "auth-refused" || error.code === "host-key-changed";
    if (!waits) throw error;
    return error.message;
  }
}
