/** Runs that soak and bake: time is cut short, looking at hosts is not. */
import { expect } from "vitest";
import { hosts, node, type Scenario } from "./stand.ts";

const SOAKING = "running, a wave soaks";
const CUT = "running, a soak was cut short";
const BAKING = "running, it bakes";
const LONG = "30m";
const SLOWLY = ["--soak", `canary=${LONG},wave=${LONG}`, "--final-bake", LONG];

export const WATCHED: Readonly<Record<string, Scenario>> = {
  "a soak cut short waits for its hosts": async ({ lab, rollout, driven, ill }) => {
    const controller = lab.begin(rollout(hosts(15, 16), "--canary", node(15), ...SLOWLY));
    const run = await driven(controller, /"type":"wave.soak"/);
    await run.refuses(SOAKING, "resume", "retry", "undo");
    await ill(15, "not-ready");
    await run.tells(SOAKING, "promote", /^promote/);
    // Nobody is believed to be well because of a word.
    await run.refuses(CUT, "resume", "promote", "retry", "undo");
    await run.tells(CUT, "promote --full", /^promote/);
    await run.tells(CUT, "pause", /^paused/);
    expect((await controller.done).code).toBe(5);
    expect((await run.events()).some((e) => e.type === "wave.gate")).toBe(false);
    await ill(15, "none");
    const second = run.begins("resume");
    await run.becomes(/^wave.start 2/);
    second.signal("SIGKILL");
    await run.sound();
  },
  "promoted through every wave and soak into the bake, and out of it": async ({
    lab,
    rollout,
    driven,
    ended,
  }) => {
    const controller = lab.begin(rollout(hosts(17, 18), "--canary", node(17), ...SLOWLY));
    const run = await driven(controller, /"type":"wave.soak"/);
    await run.tells(SOAKING, "promote --full", /^baking/);
    await run.refuses(BAKING, "resume", "retry", "undo");
    await run.tells(BAKING, "promote", /^succeeded/);
    ended(await controller.done, 0);
    await run.does("succeeded", "undo", "succeeded");
    expect(await lab.revisions()).toMatchObject({ [node(17)]: "f0", [node(18)]: "f0" });
    await run.sound();
  },
  "soaking, baking: stopped, ended, passed": async ({ lab, rollout, driven, ill }) => {
    const soaks = async (n: number) =>
      driven(lab.begin(rollout(hosts(n, n + 1), "--canary", node(n), ...SLOWLY)), /"type":"wave.soak"/);
    const bakes = async (n: number) => driven(lab.begin(rollout(node(n), ...SLOWLY)), /"to":"baking"/);
    const [a, b, c, d, e] = await Promise.all([soaks(19), soaks(21), bakes(23), bakes(24), bakes(25)]);
    await ill(21, "not-ready");
    await Promise.all([
      a.tells(SOAKING, "abort", /^aborted/),
      b.tells(SOAKING, "promote --full", /^promote/),
      c.tells(BAKING, "abort", /^aborted/),
      d.tells(BAKING, "promote --full", /^succeeded/),
      e.tells(BAKING, "pause", /^paused/),
    ]);
    await b.tells(CUT, "abort", /^aborted/);
    const f = await driven(
      lab.begin(rollout(hosts(19, 20), "--to", "f2", "--canary", node(19), ...SLOWLY)),
      /wave.soak/,
    );
    await f.tells(SOAKING, "pause", /^paused/);
  },
};
