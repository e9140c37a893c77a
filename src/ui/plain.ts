import { openOutput } from "./output.ts";
import { createPaint } from "./paint.ts";
import type { Renderer } from "./renderer.ts";
import { labLine } from "./view/lab.ts";
import { fold, type ViewState } from "./view/model.ts";
import { planLines } from "./view/plan.ts";
import { summaryLines } from "./view/summary.ts";
import { progressLine, transitionLine } from "./view/transition.ts";

/** Up to here every transition of every host has its line. */
const NAMED_HOSTS = 50;
const SUMMARY_EVERY_MS = 10_000;

/**
 * Lines for logs and pipes: never cut, never rewritten. One per transition; for more than 50 hosts one summary per
 * 10 s of the run's own time, and every warning and failure as it happens. Ends with the summary.
 */
export const plain: Renderer = async (events, io) => {
  using out = openOutput(io.out);
  const paint = createPaint(io.color);
  let view: ViewState | null = null;
  let told = 0;
  if (io.isLab) await out.line(paint(labLine()));
  for await (const event of events) {
    view = fold(view, event);
    if (view === null) continue;
    if (event.seq <= (io.since ?? 0)) {
      told = view.at;
      continue;
    }
    if (event.type === "plan") {
      const plan = io.planShown ? [] : planLines(view.run.plan, { columns: Number.POSITIVE_INFINITY });
      for (const text of plan) await out.line(paint(text));
      told = view.at;
      continue;
    }
    const few = view.run.hosts.size <= NAMED_HOSTS;
    const text = transitionLine(view, event, { hosts: few });
    if (text !== null) await out.line(paint(text));
    if (!few && view.at - told >= SUMMARY_EVERY_MS) {
      await out.line(paint(progressLine(view, event.ts)));
      told = view.at;
    }
  }
  if (view === null) return;
  for (const text of summaryLines(view, { now: io.now(), flags: io.flags })) await out.line(paint(text));
};
