/**
 * Every operator's word in every state a rollout can stand in (rollouts.md §2.2), on the command line, on a fleet of 50
 * hosts: carried out, told to the controller, or refused by the state's name. States that pass quickly are held by hosts
 * that are not ready, do not answer, or soak for long; nothing races. What was answered is `docs/steering.md`.
 */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PAUSED } from "./matrix/paused.ts";
import { RUNNING } from "./matrix/running.ts";
import { createStand, IN_FLIGHT } from "./matrix/stand.ts";
import { STOPPED } from "./matrix/stopped.ts";
import { WATCHED } from "./matrix/watched.ts";
import { type FleetLab, QUICK, startLab } from "./support/lab.ts";
import { Matrix } from "./support/matrix.ts";

/** State -> exit status of pause, resume, promote, promote --full, abort, retry, undo. */
const EXITS: Readonly<Record<string, string>> = {
  "planned, nobody drives it": "5 0 64 64 3 64 64",
  "running, a wave is updating": "0 6 64 0 0 64 6",
  "running, its controller is gone": "5 0 64 0 3 64 0",
  "running, a wave soaks": "0 6 0 0 0 64 6",
  "running, a soak was cut short": "0 6 0 0 0 64 6",
  "running, it bakes": "0 6 0 0 0 64 6",
  "paused (operator), hosts in flight": "0 0 0 0 0 64 6",
  "paused (operator), at rest": "0 0 0 0 3 64 0",
  "paused (gate)": "0 64 5 0 3 64 0",
  "paused (failures)": "0 64 3 3 3 3 0",
  "paused (quorum)": "0 5 5 5 3 64 0",
  "paused (window)": "0 0 0 0 0 64 6",
  "paused (deadline)": "0 5 5 5 3 64 0",
  "paused (lease)": "0 4 4 4 3 5 0",
  "paused (uplink)": "0 0 0 0 0 64 6",
  aborting: "64 6 64 64 0 64 6",
  "aborting, its controller is gone": "64 3 64 64 0 64 0",
  "rolling back": "64 6 64 64 0 64 6",
  "rolling back, its controller is gone": "64 3 64 64 0 64 0",
  aborted: "64 64 64 64 64 64 0",
  succeeded: "64 64 64 64 64 64 0",
  "succeeded with stragglers": "64 64 64 64 64 0 0",
  "rolled back": "64 64 64 64 64 64 0",
  "rollback failed": "64 64 64 64 64 64 0",
  superseded: "64 64 64 64 64 64 0",
};
const matrix = new Matrix(Object.keys(EXITS));

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({
    hosts: 50,
    sites: 25,
    rollout: {
      ...QUICK,
      maxParallel: 50,
      maxUnavailable: 50,
      perSite: { activating: 50, copying: 50 },
      copyParallel: 50,
      minHealthyTime: "1s",
      confirmTimeout: "45s",
      healthyDeadline: "5m",
      progressDeadline: "20m",
    },
  });
  for (const name of ["f0", "f1", "f2", "f3"]) lab.release(name);
});
afterAll(() => lab?.down());

it("nothing rolled out yet: says so", async () => {
  const words = ["pause", "resume", "promote", "abort", "retry", "undo", "status", "watch"];
  await Promise.all(
    words.map(async (word) => {
      const ran = await lab.fleet("rollout", word);
      expect(ran.code, word).toBe(64);
      expect(ran.stderr, word).toMatch(/no run of this fleet is remembered/);
    }),
  );
  const named = await lab.fleet("rollout", "pause", "r-nothing");
  expect(named).toMatchObject({ code: 64, stderr: expect.stringContaining("there is no run r-nothing") });
});

it("the whole fleet: paused, resumed, promoted through all waves", async () => {
  const { driven, ended } = createStand(lab, matrix);
  const controller = lab.begin([
    "rollout",
    "--yes",
    "-o",
    "ndjson",
    "--to",
    "f0",
    "--canary",
    "5",
    "--promote",
    "manual",
    "--min-healthy-time",
    "200ms",
  ]);
  const run = await driven(controller, IN_FLIGHT);
  await run.tells("running, a wave is updating", "pause", /^paused/);
  ended(await controller.done, 5);
  const canaries = Object.values(await lab.revisions()).filter((r) => r === "f0");
  expect(canaries.length).toBeLessThanOrEqual(5);
  ended(await lab.fleet("rollout", "resume", run.id), 5);
  ended(await lab.fleet("rollout", "promote", run.id, "--full"), 0);
  expect(new Set(Object.values(await lab.revisions()))).toEqual(new Set(["f0"]));
  await run.sound();
});

describe.concurrent("side by side, each on hosts of its own", () => {
  it.each(Object.entries({ ...RUNNING, ...WATCHED, ...PAUSED, ...STOPPED }))("%s", (_what, scenario) =>
    scenario(createStand(lab, matrix)),
  );
});

it("answers as documented, every word in every state", async () => {
  expect(matrix.codes()).toEqual(EXITS);
  const head = await readFile(new URL("support/steering.md", import.meta.url), "utf8");
  await expect(`${head.trimEnd()}\n\n${matrix.text()}\n`).toMatchFileSnapshot("../../docs/steering.md");
});
