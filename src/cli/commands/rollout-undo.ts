import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { startRun } from "../../rollout/begin.ts";
import { applyCommand } from "../../rollout/commands.ts";
import { TERMINAL_STATES } from "../../rollout/events.ts";
import { newRunId } from "../../rollout/launch.ts";
import { type RolloutState, replay } from "../../rollout/state.ts";
import { changedBy, planUndo } from "../../rollout/undo.ts";
import type { Store } from "../../store/store.ts";
import { defineCommand } from "../command.ts";
import { controllerOf } from "../controllers.ts";
import { driveRun, findRun } from "../follow.ts";
import { showPlan } from "../planning.ts";

export const command = defineCommand({
  arguments: [["[id]", "the rollout to undo; default: the latest"]],
  options: [
    ["--waves", "go in waves again; default: as fast as the guards and limits allow"],
    ["--ignore-consent", "do not ask the programs of hosts' owners (consent.d)"],
  ],
  examples: ["macula-fleet rollout undo", "macula-fleet rollout undo r-7 --limit site=gent"],
  schema: z.object({ waves: z.boolean().default(false), ignoreConsent: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const run = await findRun(store, args[0]);
    if (run.kind === "install")
      throw new FleetError(
        "command-refused",
        `${run.id} is an installation: what it has erased cannot be put back`,
        {
          hint: "name the rollout to undo: macula-fleet rollout history",
        },
      );
    let state = await stateOf(store, run.id);
    const driven = TERMINAL_STATES.has(state.status) ? null : await controllerOf(app, store, run.id);
    if (driven) {
      throw new FleetError("locked", `${run.id} is ${state.status}, driven by ${driven.owner}`, {
        hint: `macula-fleet rollout abort ${run.id}, then undo it`,
      });
    }
    if (state.status === "planned" || state.status === "queued")
      throw new FleetError("command-refused", `${run.id} is ${state.status}: it has changed nothing yet`, {
        hint: `macula-fleet rollout abort ${run.id}`,
      });
    // Ended first, whatever it says of its hosts: one in flight may be further than the journal knows.
    if (!TERMINAL_STATES.has(state.status)) {
      const reply = applyCommand(state, { command: "abort", by: app.operator });
      if (reply.kind === "refused") throw new FleetError("command-refused", `${run.id}: ${reply.note}`);
      if (reply.kind === "applied") await store.submit(run.id, { command: "abort", by: app.operator });
      await driveRun(app, run.id, store, await app.remote(inventory), { inventory, planShown: true });
      state = await stateOf(store, run.id);
    }
    if (changedBy(state).size === 0) {
      app.note(`${run.id} left no host changed: there is nothing to undo`);
      return EXIT.ok;
    }
    const now = app.clock.now();
    const plan = planUndo(state, {
      id: newRunId("r", now),
      inventory: options.ignoreConsent
        ? { ...inventory, policy: { ...inventory.policy, ignoreConsent: true } }
        : inventory,
      hosts: await app.hosts(inventory, store),
      now,
      waves: options.waves,
    });
    if (plan.hosts.length === 0)
      throw new FleetError("limit-no-match", "none of the selected hosts was changed by it");
    const shown = app.format === "human" || app.format === "plain";
    if (shown && !app.globals.yes) await showPlan(app, inventory, plan, { to: "stderr" });
    if (!(await app.confirm(`Put ${plan.hosts.length} hosts back to what they ran before ${run.id}?`)))
      return EXIT.error;
    await startRun(store, plan, { operator: app.operator, clock: app.clock });
    return driveRun(app, plan.id, store, await app.remote(inventory), {
      inventory,
      planShown: shown && !app.globals.yes,
    });
  },
});

async function stateOf(store: Store, id: string): Promise<RolloutState> {
  const state = replay(await store.events(id));
  if (!state) throw new FleetError("rollout-not-found", `${id} has no journal`);
  return state;
}
