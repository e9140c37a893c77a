import { EVENT_SCHEMA, type VersionLine } from "../rollout/events.ts";
import { openOutput } from "./output.ts";
import type { Renderer } from "./renderer.ts";

/** The version line, then the journal's events, one JSON object per line, nothing else. */
export const ndjson: Renderer = async (events, io) => {
  using out = openOutput(io.out);
  const tool = io.version === undefined ? "macula-fleet" : `macula-fleet ${io.version}`;
  const version: typeof VersionLine._output = { type: "version", schema: EVENT_SCHEMA, tool };
  await out.line(JSON.stringify(version));
  for await (const event of events) await out.line(JSON.stringify(event));
};
