/** An operator's word to an installation: its controller obeys `pause` and `abort`; everything else has its own command. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { App } from "../app.ts";
import { EXIT, type ExitCode, FleetError } from "../errors.ts";
import { endLeftovers } from "../install/leftovers.ts";
import { answer } from "../install/words.ts";
import { runMoved } from "../rollout/bodies.ts";
import { eventsOf } from "../rollout/commands.ts";
import { goOnCommand } from "../rollout/next.ts";
import { evolve, type RolloutState, replay } from "../rollout/state.ts";
import { summarize } from "../rollout/summary.ts";
import type { PendingCommand, Store } from "../store/store.ts";
import { controllerOf } from "./controllers.ts";

type Word = Omit<PendingCommand, "id">;

export async function steerInstallation(app: App, store: Store, id: string, word: Word): Promise<ExitCode> {
  const state = replay(await store.events(id));
  if (!state) throw new FleetError("rollout-not-found", `${id} has no journal`);
  const { plan, status } = state;
  const host = plan.hosts[0]?.name ?? "";
  const refuse = (why: string, hint: string) => new FleetError("command-refused", `${id}: ${why}`, { hint });
  const reply = answer(state, word);
  if (reply.kind === "refused") throw refuse(`${reply.note} (it is ${status})`, goOnCommand(plan));
  const driven = await controllerOf(app, store, id);
  if (reply.kind === "noop") {
    app.note(`${id}: ${reply.note}${driven ? "" : `, and nobody drives it; go on: ${goOnCommand(plan)}`}`);
    return EXIT.ok;
  }
  if (driven) {
    await store.submit(id, word);
    const means =
      word.command === "abort"
        ? "machines whose disk is untouched are left alone, the others are finished"
        : "no further machine is begun";
    app.note(
      `${id}: told ${driven.owner} to ${word.command}: ${means}; see it with: macula-fleet rollout watch ${id}`,
    );
    return EXIT.ok;
  }
  if (word.command === "pause") throw refuse("nobody drives it: it stands still already", goOnCommand(plan));
  // Its k3s is stopped: giving it up means to start that again.
  if ("conversion" in plan)
    throw refuse("it is a conversion", `macula-fleet convert ${host} --undo, or --continue`);
  await giveUp(app, store, state, word);
  return EXIT.hostsFailed;
}

/** What a killed controller left goes first: processes that would go on erasing, and secrets. */
async function giveUp(app: App, store: Store, state: RolloutState, word: Word): Promise<void> {
  const { id, hosts } = state.plan;
  const stateDir = app.stateDir(await app.inventory());
  const workDir = join(stateDir, "work", id);
  await endLeftovers(workDir);
  await rm(workDir, { recursive: true, force: true });
  const now = app.clock.now();
  const told = await store.append(id, state.lastSeq, eventsOf(answer(state, word)), { now });
  const end = [runMoved(told.reduce(evolve, state), "aborted", `given up by ${word.by}`)];
  const ended = await store.append(id, told.at(-1)?.seq ?? state.lastSeq, end, { now });
  const over = [...told, ...ended].reduce(evolve, state);
  await store.append(id, over.lastSeq, [summarize(over, false)], { now });
  const half = hosts.filter((h) => !["pending", "updated"].includes(state.hosts.get(h.name)?.state ?? ""));
  const names = half.map((h) => h.name).join(", ");
  app.note(
    `${id} is given up${half.length > 0 ? `; it had begun with ${names}: look what they are now: macula-fleet install --check` : ""}`,
  );
}
