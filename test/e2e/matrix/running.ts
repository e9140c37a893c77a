/** Runs that are planned, at work, or left by their controller. */
import { expect } from "vitest";
import { journalled, type Steered, WORDS } from "../support/matrix.ts";
import { IN_FLIGHT, node, type Scenario, type Stand } from "./stand.ts";

export const RUNNING: Readonly<Record<string, Scenario>> = {
  planned: async ({ lab, steered }) => {
    const state = "planned, nobody drives it";
    const planned = async () => steered(await journalled(lab, node(1), "--to", "f1"));
    const a = await planned();
    await a.refuses(state, "promote", "promote --full", "retry", "undo");
    await a.does(state, "abort", "aborted");
    await a.refuses("aborted", ...WORDS.filter((w) => w !== "undo"));
    const b = await planned();
    await b.does(state, "resume", "succeeded");
    await b.refuses("succeeded", ...WORDS.filter((w) => w !== "undo"));
    await b.does("succeeded", "undo", "succeeded");
    expect((await lab.revisions())[node(1)]).toBe("f0");
  },
  "paused at rest": async ({ lab, steered }) => {
    const rest = "paused (operator), at rest";
    const paused = async (n: number) => {
      const run = steered(await journalled(lab, node(n), "--to", "f1"));
      await run.does("planned, nobody drives it", "pause", "paused (operator)");
      return run;
    };
    const a = await paused(2);
    await a.refuses(rest, "pause", "retry");
    await a.does(rest, "abort", "aborted");
    const [b, c, d] = [await paused(2), await paused(3), await paused(4)];
    await Promise.all([
      b.does(rest, "resume", "succeeded"),
      c.does(rest, "promote", "succeeded"),
      d.does(rest, "promote --full", "succeeded"),
    ]);
  },
  "updating, paused with a host in flight": async (stand) => {
    const { run, controller } = await inFlight(stand, 5);
    await run.refuses(UPDATING, "resume", "promote", "retry", "undo");
    await run.tells(UPDATING, "pause", /^paused/);
    await run.refuses(FLYING, "pause", "retry", "undo");
    await run.tells(FLYING, "resume", /^running/);
    await run.tells(UPDATING, "promote --full", /^promote/);
    controller.signal("SIGKILL");
  },
  "paused with a host in flight, promoted": async (stand) => {
    const { run, controller } = await inFlight(stand, 6);
    for (const word of ["promote", "promote --full"] as const) {
      await run.tells(UPDATING, "pause", /^paused/);
      await run.tells(FLYING, word, /^running/);
    }
    controller.signal("SIGKILL");
  },
  "paused with a host in flight, aborted; aborting": async (stand) => {
    const { run, controller } = await inFlight(stand, 47);
    await run.tells(UPDATING, "pause", /^paused/);
    await run.tells(FLYING, "abort", /^aborting/);
    await run.refuses("aborting", ...WORDS);
    controller.signal("SIGKILL");
    await controller.done;
    const gone = "aborting, its controller is gone";
    await run.refuses(gone, "pause", "promote", "promote --full", "abort", "retry");
    await stand.ill(47, "none");
    await run.does(gone, "resume", "aborted");
    await run.sound();
  },
  "updating, aborted; aborting, undone": async (stand) => {
    const { run, controller } = await inFlight(stand, 9);
    await run.tells(UPDATING, "abort", /^aborting/);
    controller.signal("SIGKILL");
    await controller.done;
    await stand.ill(9, "none");
    await run.does("aborting, its controller is gone", "undo", "aborted");
    expect((await stand.lab.revisions())[node(9)]).toBe("f0");
  },
  "its controller is gone: a word takes the run over": async (stand) => {
    const state = "running, its controller is gone";
    const dies = async (n: number): Promise<Steered> => {
      const { run, controller } = await inFlight(stand, n);
      controller.signal("SIGKILL");
      await controller.done;
      return run;
    };
    type Five = [Steered, Steered, Steered, Steered, Steered];
    const [a, b, c, d, e] = (await Promise.all([10, 11, 12, 13, 14].map(dies))) as Five;
    await a.refuses(state, "promote", "retry");
    await Promise.all([10, 11, 12, 13, 14].map((n) => stand.ill(n, "none")));
    await Promise.all([
      a.does(state, "promote --full", "succeeded"),
      b.does(state, "pause", "paused (operator)"),
      c.does(state, "abort", "aborted"),
      d.does(state, "resume", "succeeded"),
      e.does(state, "undo", "aborted"),
    ]);
    await Promise.all([
      b.does("paused (operator), at rest", "undo", "aborted"),
      c.does("aborted", "undo", "aborted"),
    ]);
  },
};

const UPDATING = "running, a wave is updating";
const FLYING = "paused (operator), hosts in flight";

/** A rollout whose only host is updated and does not become ready. */
async function inFlight({ lab, rollout, driven, ill }: Stand, n: number) {
  await ill(n, "not-ready");
  const controller = lab.begin(rollout(node(n)));
  return { run: await driven(controller, IN_FLIGHT), controller };
}
