import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import { TERMINAL_STATES } from "../../rollout/events.ts";
import type { WebDeps } from "./deps.ts";

/**
 * The journal as server-sent events, each with its `seq` as id, so that a browser that lost the connection goes on
 * where it was. A last event named `end` says that nothing more will come: the run is over.
 */
export function eventStream(c: Context, deps: WebDeps, run: string, since: number): Response {
  return streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    const signal = AbortSignal.any([deps.signal, gone.signal]);
    let seq = since;
    while (!signal.aborted) {
      const record = await deps.store.run(run);
      const events = await deps.store.events(run, seq);
      for (const event of events) {
        await stream.writeSSE({ id: String(event.seq), data: JSON.stringify(event) });
        seq = event.seq;
      }
      if (record === null || (TERMINAL_STATES.has(record.state) && seq >= record.lastSeq)) {
        await stream.writeSSE({ event: "end", data: "{}" });
        return;
      }
      // Being told to stop is not an error here.
      if (events.length === 0) await deps.clock.sleep(deps.pollMs ?? 500, signal).catch(() => undefined);
    }
  });
}
