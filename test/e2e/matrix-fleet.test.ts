/** The same words (see matrix.test.ts) on 50 hosts, in the states only a large run stands in for long, and side by side. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Ran } from "../support/cli-process.ts";
import { broken, type FleetLab, QUICK, runId, startLab } from "./support/lab.ts";

const HOSTS = 50;
let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({
    hosts: HOSTS,
    sites: 25,
    rollout: { ...QUICK, minHealthyTime: "500ms", confirmTimeout: "30s", healthyDeadline: "45s" },
  });
});
afterAll(() => lab?.down());

const ended = (ran: Ran, code: number): string => {
  expect(ran.code, ran.stdout + ran.stderr).toBe(code);
  return runId(ran);
};
const run = async () => new Set(Object.values(await lab.revisions()));

/** Each word's exit status and what it must say, all at the same time. */
async function answers(id: string, expected: Record<string, readonly [number, RegExp]>): Promise<void> {
  await Promise.all(
    Object.entries(expected).map(async ([word, [code, says]]) => {
      const ran = await lab.fleet("rollout", word, id);
      expect(ran.code, `${word}: ${ran.stderr}`).toBe(code);
      expect(ran.stderr, word).toMatch(says);
    }),
  );
}
const over = (state: RegExp) =>
  Object.fromEntries(["pause", "resume", "promote", "abort", "retry"].map((w) => [w, [64, state] as const]));

it("updating, soaking, paused, promoted, succeeded", async () => {
  lab.release("f1");
  const controller = lab.begin([
    "rollout",
    "--yes",
    "-o",
    "ndjson",
    "--canary",
    "5",
    "--promote",
    "manual",
    "--soak",
    "canary=20s",
  ]);
  await controller.until(/"to":"activating"/);
  const id = runId({ code: 0, stdout: controller.stdout, stderr: "" });
  await answers(id, {
    resume: [6, /driven by/],
    undo: [6, /is running, driven by/],
    retry: [64, /no failed or deferred host/],
  });
  await controller.until(/"type":"wave.soak"/);
  await answers(id, { pause: [0, /told .* to pause/] });
  ended(await controller.done, 5);
  expect(Object.values(await lab.revisions()).filter((r) => r === "f1")).toHaveLength(5);
  await answers(id, { pause: [0, /already paused/], retry: [64, /no failed or deferred host/] });

  ended(await lab.fleet("rollout", "promote", id, "--full"), 0);
  expect(await run()).toEqual(new Set(["f1"]));
  expect(broken(await lab.events(id))).toBeNull();
  await answers(id, over(/is succeeded/));
});

it("paused for failures: overlap is refused, retry and supersede are not", async () => {
  lab.release("f2");
  await lab.fault("node-07", "bad-health");
  const id = ended(await lab.fleet("rollout", "--yes", "--canary", "node-07"), 3);
  await answers(id, { resume: [64, /paused \(failures\)/], pause: [0, /already paused/] });
  const second = await lab.fleet("rollout", "--yes", "-l", "node-07,node-08");
  expect(second.code, second.stderr).toBe(6);
  expect(second.stderr).toContain(`${id} (paused)`);
  // Still bad: one attempt more, the same end.
  ended(await lab.fleet("rollout", "retry", id), 3);

  await lab.fault("node-07", "none");
  ended(await lab.fleet("rollout", "--yes", "--supersede"), 0);
  expect(await run()).toEqual(new Set(["f2"]));
  await answers(id, over(/superseded/));
});

it("aborted halfway, then undone", async () => {
  lab.release("f3");
  const controller = lab.begin(["rollout", "--yes", "-o", "ndjson", "--canary", "5", "--waves", "50%,100%"]);
  await controller.until(/"msg":"wave 2\//);
  const id = runId({ code: 0, stdout: controller.stdout, stderr: "" });
  await answers(id, { abort: [0, /told .* to abort|aborting/] });
  ended(await controller.done, 3);
  const halfway = await run();
  expect(halfway).toEqual(new Set(["f2", "f3"]));
  await answers(id, over(/is aborted/));
  ended(await lab.fleet("rollout", "undo", id, "--yes"), 0);
  expect(await run()).toEqual(new Set(["f2"]));
  expect(broken(await lab.events(id))).toBeNull();
});
