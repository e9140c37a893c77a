/** An operator's word to a run: handed to its controller when there is one, else carried out right here. */
import { z } from "zod";
import type { App } from "../app.ts";
import { EXIT, type ExitCode, FleetError } from "../errors.ts";
import { takenBy } from "../rollout/begin.ts";
import { applyCommand } from "../rollout/commands.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import { replay } from "../rollout/state.ts";
import type { PendingCommand } from "../store/store.ts";
import { type CommandSpec, defineCommand, type OptionSpec } from "./command.ts";
import { awaitFree, controllerOf } from "./controllers.ts";
import { driveRun, findRun } from "./follow.ts";
import { steerInstallation } from "./steer-install.ts";

interface Steering {
  readonly word: PendingCommand["command"];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly string[];
}

const Options = z.object({
  full: z.boolean().optional(),
  toWave: z.coerce.number().int().min(1).optional(),
});

export function steeringCommand({ word, options = [], examples }: Steering): CommandSpec<typeof Options> {
  return defineCommand({
    arguments: [["[id]", "run id; default: the latest"]],
    options,
    examples,
    schema: Options,
    run: (app, call) => steer(app, word, call.args[0], call.options),
  });
}

async function steer(
  app: App,
  word: Steering["word"],
  id: string | undefined,
  options: z.output<typeof Options>,
): Promise<ExitCode> {
  const inventory = await app.inventory();
  const store = await app.store(inventory);
  const run = await findRun(store, id);
  const command = {
    command: word,
    by: app.operator,
    ...(options.full === undefined ? {} : { full: options.full }),
    ...(options.toWave === undefined ? {} : { toWave: options.toWave }),
    ...(app.globals.limit === undefined
      ? {}
      : { hosts: (await app.hosts(inventory, store)).map((h) => h.name) }),
  };
  if (run.kind === "install") return steerInstallation(app, store, run.id, command);
  const unfinished = ["planned", "running", "baking", "aborting", "rolling_back"];
  if (word === "resume" && unfinished.includes(run.state)) await awaitFree(app, store, run.id);
  const state = replay(await store.events(run.id));
  if (!state) throw new FleetError("rollout-not-found", `${run.id} has no journal`);
  const driven = await controllerOf(app, store, run.id);
  const crashed = !driven && word === "resume" && unfinished.includes(state.status);
  const reply = crashed ? null : applyCommand(state, command);
  if (reply?.kind === "refused") {
    throw new FleetError(
      "command-refused",
      `${run.id} is ${state.status.replaceAll("_", " ")}${state.reason ? ` (${state.reason})` : ""}: ${reply.note}`,
      {
        hint: `macula-fleet rollout status ${run.id}`,
      },
    );
  }
  if (reply?.kind === "noop") {
    app.note(`${run.id}: ${reply.note}`);
    return EXIT.ok;
  }
  const taken = reply && TERMINAL_STATES.has(state.status) ? await takenBy(store, state.plan) : null;
  if (taken !== null)
    throw new FleetError("locked", `cannot ${word} ${run.id}: ${taken}`, {
      hint: "macula-fleet rollout history",
    });
  if (reply) await store.submit(run.id, command);
  if (driven) {
    const means = reply?.kind === "applied" && word === "promote" ? ` (${reply.note})` : "";
    app.note(
      `${run.id}: told ${driven.owner} to ${word}${means}; see it with: macula-fleet rollout watch ${run.id}`,
    );
    return EXIT.ok;
  }
  return driveRun(app, run.id, store, await app.remote(inventory), { inventory, planShown: true });
}
