/** How long each phase of an installation took, from its event stream. */
import { z } from "zod";

const Moved = z.object({
  ts: z.string(),
  type: z.literal("host.state"),
  level: z.string(),
  data: z.object({ to: z.string() }),
});

/** Seconds by the state the machine was in. */
export function durations(ndjson: string): ReadonlyMap<string, number> {
  const moves = ndjson
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => Moved.safeParse(JSON.parse(line)))
    .flatMap((parsed) => (parsed.success && parsed.data.level !== "debug" ? [parsed.data] : []));
  const seconds = new Map<string, number>();
  for (const [i, move] of moves.entries()) {
    const next = moves[i + 1];
    if (next === undefined) break;
    seconds.set(move.data.to, (Date.parse(next.ts) - Date.parse(move.ts)) / 1000);
  }
  return seconds;
}
