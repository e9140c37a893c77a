import { Listr, ListrLogger, ProcessOutput, Spinner } from "listr2";
import type { FleetEvent } from "../rollout/events.ts";
import { openOutput } from "./output.ts";
import { createPaint, type Paint } from "./paint.ts";
import type { Renderer, RendererIo } from "./renderer.ts";
import { liveRenderer } from "./tty-frame.ts";
import { labLine } from "./view/lab.ts";
import { liveLines } from "./view/layout.ts";
import { type Line, wrap } from "./view/line.ts";
import { fold, type ViewState } from "./view/model.ts";
import { planLines } from "./view/plan.ts";
import { summaryLines } from "./view/summary.ts";

/**
 * The terminal: listr2 draws (spinner, rewriting in place, holding back stray output), the view says what.
 * One task for the whole run instead of one per host: a listr2 task cannot go back from done to reverting, nor be
 * tried again, and each draws a line, which is unreadable from 40 hosts on.
 */
export const tty: Renderer = async (events, io) => {
  const paint = createPaint(io.color);
  const shown: Shown = { view: null, over: false };
  const stream = events[Symbol.asyncIterator]();
  const first = await stream.next();
  if (first.done) return;
  shown.view = fold(null, first.value);
  await announce(shown.view, io, paint);
  let failure: { readonly error: unknown } | null = null;
  const follow = async () => {
    try {
      await followAll(stream, shown);
    } catch (error) {
      failure = { error };
    }
    shown.over = true;
  };
  await draw(shown, follow, io, paint);
  if (failure !== null) throw (failure as { error: unknown }).error;
};

interface Shown {
  view: ViewState | null;
  over: boolean;
}

async function followAll(stream: AsyncIterator<FleetEvent>, shown: Shown): Promise<void> {
  for (let next = await stream.next(); !next.done; next = await stream.next()) {
    shown.view = fold(shown.view, next.value);
  }
}

/** What stays above the live part. */
async function announce(view: ViewState | null, io: RendererIo, paint: Paint): Promise<void> {
  if (view === null || io.planShown) return;
  using out = openOutput(io.out);
  const columns = io.columns();
  const lines = planLines(view.run.plan, { columns }).flatMap((l) => wrap(l, columns, 6));
  for (const text of lines) await out.line(paint(text));
}

async function draw(shown: Shown, task: () => Promise<void>, io: RendererIo, paint: Paint): Promise<void> {
  using _listen = openOutput(io.out);
  const spinner = new Spinner();
  const output = new ProcessOutput(io.out as NodeJS.WriteStream, io.err as NodeJS.WriteStream);
  const restore = () => output.release();
  const list = new Listr([{ title: "run", task }], {
    // listr2 would call process.exit on ^C, past the drain: signals belong to the command.
    registerSignalListeners: false,
    exitOnError: false,
    renderer: liveRenderer({
      out: output,
      columns: io.columns,
      frame: () => frame(shown, io, spinner).map(paint),
    }),
    rendererOptions: { collapseErrors: false, spinner, logger: new ListrLogger({ processOutput: output }) },
  });
  // Leaving at once (a second ^C) must give the cursor back.
  process.once("exit", restore);
  await list.run();
  process.off("exit", restore);
}

function frame(shown: Shown, io: RendererIo, spinner: Spinner): Line[] {
  // One column is left free: a full last column makes some terminals wrap.
  const columns = Math.max(20, io.columns()) - 1;
  const { view } = shown;
  if (view === null) return [];
  if (shown.over) return finalLines(view, io, columns);
  const rows = Math.max(4, (io.rows?.() ?? 24) - 2);
  return liveLines(view, {
    columns,
    rows,
    now: io.now(),
    isLab: io.isLab,
    control: io.drain === undefined ? "watches" : io.drain.aborted ? "stopping" : "drives",
    marker: spinner.fetch(),
  });
}

function finalLines(view: ViewState, io: RendererIo, columns: number): Line[] {
  const lab = io.isLab ? [labLine()] : [];
  return [...lab, ...summaryLines(view, { now: io.now(), columns, flags: io.flags })].flatMap((l) =>
    wrap(l, columns, 6),
  );
}
