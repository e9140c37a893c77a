import { openOutput } from "./output.ts";
import type { Renderer } from "./renderer.ts";
import { fold, type ViewState } from "./view/model.ts";
import { report } from "./view/report.ts";

/** One JSON object when the stream has ended. */
export const json: Renderer = async (events, io) => {
  using out = openOutput(io.out);
  let view: ViewState | null = null;
  for await (const event of events) view = fold(view, event);
  await out.line(JSON.stringify(view === null ? null : report(view), null, 2));
};
