import { z } from "zod";
import { Duration } from "../../globals.ts";
import { duration } from "../../ui/view/format.ts";
import { defineCommand } from "../command.ts";
import { person } from "../hosts.ts";
import { annotate } from "../notes.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns"]],
  options: [
    ["--reason <text>", "why, for whoever meets it", "held by an operator"],
    ["--for <duration>", "let go by itself after this long, by the host's clock", "until unhold"],
  ],
  examples: [
    "macula-fleet hold node-03 --reason 'waiting for a new disk'",
    "macula-fleet hold --limit site=gent --for 2h --reason 'mains work'",
  ],
  schema: z.object({ reason: z.string().min(1).default("held by an operator"), for: Duration.optional() }),
  run: (app, { args, options }) =>
    annotate(
      app,
      args,
      async (host, { driver, store, signal }) => {
        const by = person(app);
        const { reason } = options;
        const since = app.clock.now();
        // Ours first: it keeps this controller away even when the host cannot be told. One with an end lives on the host.
        if (options.for === undefined) await store.putHost({ host: host.name, held: { reason, by, since } });
        const end =
          options.for === undefined
            ? {}
            : { until: (await driver.observe(host, { signal })).clock + Math.ceil(options.for / 1000) };
        await driver.hold(host, { by, reason, ...end }, { signal });
        return { held: { by, reason, until: end.until === undefined ? null : iso(end.until) } };
      },
      {
        done: ({ host }) =>
          `${host}: held${options.for === undefined ? `, until: macula-fleet unhold ${host}` : ` for ${duration(options.for)}`}`,
        ...(options.for === undefined
          ? { left: "hosts that could not be told are held by this controller all the same" }
          : {}),
      },
    ),
});

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();
