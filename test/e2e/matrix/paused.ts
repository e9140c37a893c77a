/** Runs that wait at a gate, stopped for failures, or go back. */
import { expect } from "vitest";
import { WORDS } from "../support/matrix.ts";
import { hosts, node, type Scenario, type Stand } from "./stand.ts";

export const PAUSED: Readonly<Record<string, Scenario>> = {
  "paused at a gate": async ({ lab, rollout, ended }) => {
    const state = "paused (gate)";
    const waits = async (to: string) =>
      ended(
        await lab.fleet(
          ...rollout(
            hosts(26, 28),
            "--to",
            to,
            "--promote",
            "manual",
            "--canary",
            "1",
            "--waves",
            "2,3,100%",
          ),
        ),
        5,
      );
    const run = await waits("f1");
    await run.refuses(state, "pause", "resume", "retry");
    await run.does(state, "promote", "paused (gate)");
    await run.does(state, "promote --full", "succeeded");
    await run.sound();
    await (await waits("f2")).does(state, "abort", "aborted");
    await (await waits("f3")).does(state, "undo", "aborted");
  },
  "paused for failures, ended with stragglers": async ({ lab, rollout, ended, ill }) => {
    const state = "paused (failures)";
    await ill(29, "bad-health");
    const run = ended(await lab.fleet(...rollout(hosts(29, 31), "--canary", node(29))), 3);
    await run.refuses(state, "pause", "resume");
    await run.does(state, "retry", "paused (failures)");
    await run.does(state, "promote", "succeeded_with_stragglers");
    const over = "succeeded with stragglers";
    await run.refuses(over, "pause", "resume", "promote", "promote --full", "abort");
    await ill(29, "none");
    await run.does(over, "retry", "succeeded");
    await run.does("succeeded", "undo", "succeeded");
    await run.sound();
  },
  "paused for failures: promoted past, aborted, undone": async ({ lab, rollout, ended, ill }) => {
    const state = "paused (failures)";
    await ill(7, "bad-health");
    const fails = async (to: string) =>
      ended(await lab.fleet(...rollout(hosts(7, 8), "--to", to, "--canary", node(7))), 3);
    const run = await fails("f1");
    await run.does(state, "promote --full", "succeeded_with_stragglers");
    await run.does("succeeded with stragglers", "undo", "succeeded_with_stragglers");
    await (await fails("f1")).does(state, "abort", "aborted");
    await (await fails("f1")).does(state, "undo", "aborted");
  },
  "rolling back, rolled back": async (stand) => {
    const { lab, ill } = stand;
    const { run, controller } = await goesBack(stand, 32);
    await run.refuses("rolling back", ...WORDS);
    controller.signal("SIGKILL");
    await controller.done;
    await run.refuses(GONE, "pause", "promote", "promote --full", "abort", "retry");
    await ill(32, "none");
    await ill(33, "none");
    await run.does(GONE, "resume", "rolled_back");
    await run.refuses("rolled back", ...WORDS);
    await run.sound();
    expect(await lab.revisions()).toMatchObject({ [node(32)]: "f0", [node(33)]: "f0" });
  },
  "rolling back, undone; a rollback that failed": async (stand) => {
    const { lab, ended, ill } = stand;
    const impatient = [
      "--healthy-deadline",
      "15s",
      "--confirm-timeout",
      "6s",
      "--unreachable-deadline",
      "1s",
    ];
    const [one, other] = await Promise.all([goesBack(stand, 45), goesBack(stand, 34, ...impatient)]);
    one.controller.signal("SIGKILL");
    await one.controller.done;
    await ill(45, "none");
    await one.run.does(GONE, "undo", "rolled_back");

    ended(await other.controller.done, 3);
    await ill(34, "none");
    await other.run.refuses("rollback failed", ...WORDS.filter((w) => w !== "undo"));
    await other.run.does("rollback failed", "undo", "rollback_failed");
    expect((await lab.revisions())[node(34)]).toBe("f0");
  },
};

const GONE = "rolling back, its controller is gone";

/** The first of two hosts is updated, must go back because the second fails, and cannot be reached. */
async function goesBack({ lab, rollout, ended, ill }: Stand, first: number, ...flags: string[]) {
  const gate = ["--canary", node(first), "--promote", "manual", "--on-failure", "rollback"];
  const run = ended(await lab.fleet(...rollout(hosts(first, first + 1), ...gate, ...flags)), 5);
  await ill(first, "unreachable");
  await ill(first + 1, "bad-health");
  const controller = run.begins("promote");
  await run.becomes(/^rolling_back/);
  return { run, controller };
}
