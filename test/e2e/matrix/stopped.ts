/** Runs that something outside of them stopped: others of their role, time, an uplink, another controller. */
import { journalled, outranking, type Steered, WORDS, withWindow } from "../support/matrix.ts";
import { hosts, IN_FLIGHT, node, type Scenario } from "./stand.ts";

export const STOPPED: Readonly<Record<string, Scenario>> = {
  "paused for a quorum": async ({ lab, rollout, ended, ill }) => {
    const quorum = "paused (quorum)";
    await ill(49, "unreachable");
    const run = ended(await lab.fleet(...rollout("node-50")), 5);
    await run.refuses(quorum, "pause", "retry");
    for (const word of ["resume", "promote", "promote --full"] as const) await run.does(quorum, word, quorum);
    await run.does(quorum, "undo", "aborted");
    await ended(await lab.fleet(...rollout("node-50")), 5).does(quorum, "abort", "aborted");
    await ill(49, "none");
  },
  "paused for want of progress": async ({ lab, rollout, driven, ended, ill }) => {
    const deadline = "paused (deadline)";
    const holder = lab.begin(rollout(node(36)));
    await ill(36, "not-ready");
    await driven(holder, IN_FLIGHT);
    const timers = [
      "--min-healthy-time",
      "100ms",
      "--healthy-deadline",
      "500ms",
      "--progress-deadline",
      "1s",
    ];
    const stuck = async () =>
      ended(await lab.fleet(...rollout(node(37), "--max-unavailable", "1", ...timers)), 5);
    const late = await stuck();
    await late.refuses(deadline, "pause", "retry");
    for (const word of ["resume", "promote", "promote --full"] as const)
      await late.does(deadline, word, deadline);
    await late.does(deadline, "undo", "aborted");
    await (await stuck()).does(deadline, "abort", "aborted");
    holder.signal("SIGKILL");
  },
  "paused outside of its window": async ({ lab, rollout, driven }) => {
    const window = "paused (window)";
    const inventory = await withWindow(lab);
    const waiting = lab.begin(["-i", inventory, ...rollout(node(38))]);
    const run = await driven(waiting, /"reason":"window"/);
    await run.refuses(window, "pause", "retry", "undo");
    for (const word of ["resume", "promote", "promote --full"] as const)
      await run.tells(window, word, /^paused \(window\)/);
    await run.tells(window, "abort", /^aborted/);
  },
  "paused for an uplink": async ({ lab, rollout, driven, ill }) => {
    const uplink = "paused (uplink)";
    const some = [39, 40, 41];
    await Promise.all(some.map((n) => ill(n, "not-ready")));
    const together = ["--canary", "0", "--waves", "100%", "--max-failures", "2"];
    const controller = lab.begin(rollout(hosts(39, 41), ...together));
    const out = await driven(controller, IN_FLIGHT);
    await out.flying(some.length);
    // None answers once the first is silent: then it is the uplink, and not one host after the other.
    await Promise.all(some.map((n) => ill(n, "hang")));
    await Promise.all(some.map((n) => ill(n, "unreachable")));
    await out.becomes(/^paused \(uplink\)/);
    await out.refuses(uplink, "pause", "retry", "undo");
    for (const word of ["resume", "promote", "promote --full"] as const)
      await out.tells(uplink, word, /^paused \(uplink\)/);
    await out.tells(uplink, "abort", /^aborting/);
    controller.signal("SIGKILL");
  },
  "paused because another controller took over": async ({ lab, steered, rollout, ended }) => {
    const lease = "paused (lease)";
    const store = ["--state", await outranking(lab)];
    await lab.must(...store, ...rollout("node-42,node-43"));
    await lab.must(...store, "rollout", "undo", "--yes");
    // From a plan that was made before the other controller came: it cannot know.
    const outranked = async (n: number): Promise<Steered> => {
      const run = steered(await journalled(lab, node(n), "--to", "f1"));
      ended(await lab.fleet("rollout", "resume", run.id), 5);
      return run;
    };
    const over = "succeeded_with_stragglers";
    const one = async (n: number) => {
      const run = await outranked(n);
      await run.refuses(lease, "pause");
      await run.does(lease, "retry", lease);
      await run.does(lease, "resume", over);
      await (await outranked(n)).does(lease, "promote", over);
    };
    const two = async (n: number) => {
      await (await outranked(n)).does(lease, "promote --full", over);
      await (await outranked(n)).does(lease, "abort", "aborted");
      await (await outranked(n)).does(lease, "undo", "aborted");
    };
    await Promise.all([one(42), two(43)]);
  },
  superseded: async ({ lab, steered, rollout, ended }) => {
    const planned = steered(await journalled(lab, node(44), "--to", "f1"));
    ended(await lab.fleet(...rollout(node(44), "--supersede")), 0);
    await planned.refuses("superseded", ...WORDS);
  },
};
