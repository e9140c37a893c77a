import { z } from "zod";
import { EXIT, type ExitCode, FleetError } from "../../errors.ts";
import type { FleetEvent } from "../../rollout/events.ts";
import { replay } from "../../rollout/state.ts";
import { exitOf } from "../../rollout/summary.ts";
import { createPaint } from "../../ui/paint.ts";
import { liveLines } from "../../ui/view/layout.ts";
import { fold, type ViewState } from "../../ui/view/model.ts";
import { report } from "../../ui/view/report.ts";
import { summaryLines } from "../../ui/view/summary.ts";
import { transitionLine } from "../../ui/view/transition.ts";
import { defineCommand } from "../command.ts";
import { controllerOf } from "../controllers.ts";
import { findRun, render, tail } from "../follow.ts";

export const command = defineCommand({
  arguments: [["[id]", "run id; default: the latest"]],
  options: [
    ["--host <name>", "the story of one host, with its evidence"],
    ["--watch", "stay and follow (same as: rollout watch)"],
    ["--since-seq <n>", "with -o ndjson: only events after this one"],
  ],
  examples: [
    "macula-fleet rollout status",
    "macula-fleet rollout status r-7 --host node-03",
    "macula-fleet rollout status -o ndjson --since-seq 41",
  ],
  schema: z.object({
    host: z.string().optional(),
    watch: z.boolean().default(false),
    sinceSeq: z.coerce.number().int().min(0).default(0),
  }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const run = await findRun(store, args[0]);
    const events = await store.events(run.id);
    const state = replay(events);
    if (!state) throw new FleetError("rollout-not-found", `${run.id} has no journal`);
    const exit = exitOf(state, false) as ExitCode;
    const driven = (await controllerOf(app, store, run.id)) !== null;

    if (options.watch) {
      await render(app, tail(app, run.id, store), { inventory });
      return EXIT.ok;
    }
    if (app.format === "ndjson") {
      await render(app, each(events.filter((e) => e.seq > options.sinceSeq)), { inventory });
      return driven ? EXIT.ok : exit;
    }
    const view = events.reduce<ViewState | null>((v, e) => fold(v, e), null);
    if (!view) return exit;
    if (app.format === "json") {
      app.json({ ...report(view), driven });
      return driven ? EXIT.ok : exit;
    }
    const paint = createPaint(app.color);
    const columns = app.process.stdout.columns ?? 100;
    if (options.host !== undefined) {
      if (!state.hosts.has(options.host))
        throw new FleetError("usage", `${run.id} has no host ${options.host}`);
      let past: ViewState | null = null;
      for (const event of events) {
        past = fold(past, event);
        if (past && event.host === options.host && event.level !== "debug") {
          const line = transitionLine(past, event, { hosts: true });
          if (line) app.print(paint(line));
          if (event.type === "host.log") for (const text of event.data.lines) app.print(`    ${text}`);
        }
      }
      return EXIT.ok;
    }
    const lines = driven
      ? liveLines(view, { columns, rows: 200, now: app.clock.now(), isLab: inventory.lab !== undefined })
      : summaryLines(view, { now: app.clock.now(), flags: app.fleetFlags, columns });
    app.print(lines.map(paint).join("\n"));
    return driven ? EXIT.ok : exit;
  },
});

async function* each(events: readonly FleetEvent[]): AsyncGenerator<FleetEvent> {
  yield* events;
}
