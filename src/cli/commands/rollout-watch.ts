import { z } from "zod";
import type { ExitCode } from "../../errors.ts";
import { EXIT } from "../../errors.ts";
import { replay } from "../../rollout/state.ts";
import { exitOf } from "../../rollout/summary.ts";
import { defineCommand } from "../command.ts";
import { findRun, render, tail } from "../follow.ts";

export const command = defineCommand({
  arguments: [["[id]", "run id; default: the latest"]],
  examples: ["macula-fleet rollout watch", "macula-fleet rollout watch r-7 -o ndjson"],
  schema: z.object({}),
  async run(app, { args }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const run = await findRun(store, args[0]);
    await render(app, tail(app, run.id, store), { inventory });
    const state = replay(await store.events(run.id));
    return state ? (exitOf(state, false) as ExitCode) : EXIT.error;
  },
});
