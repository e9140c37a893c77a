import type { Writable } from "node:stream";
import type { Renderer } from "./renderer.ts";

/** Every way to show a run, by the name `-o` takes. Loaded when used. */
export const RENDERERS = {
  human: async (events, io) =>
    (isTerminal(io.out) ? (await import("./tty.ts")).tty : (await import("./plain.ts")).plain)(events, io),
  plain: async (events, io) => (await import("./plain.ts")).plain(events, io),
  json: async (events, io) => (await import("./json.ts")).json(events, io),
  ndjson: async (events, io) => (await import("./ndjson.ts")).ndjson(events, io),
} as const satisfies Record<string, Renderer>;

export type OutputFormat = keyof typeof RENDERERS;

export const OUTPUT_FORMATS = Object.keys(RENDERERS) as readonly OutputFormat[];

function isTerminal(stream: Writable): boolean {
  return "isTTY" in stream && stream.isTTY === true;
}
