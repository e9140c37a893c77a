/** Every operator's word in every state a rollout can stand in (rollouts.md §2.2): done, or refused by the state's name. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Ran } from "../support/cli-process.ts";
import { broken, type FleetLab, QUICK, runId, startLab } from "./support/lab.ts";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({
    hosts: 3,
    rollout: { ...QUICK, minHealthyTime: "1s", confirmTimeout: "15s", healthyDeadline: "30s" },
  });
});
afterAll(() => lab?.down());

type Word = "pause" | "resume" | "promote" | "abort" | "retry";
type Answer = readonly [code: number, says: RegExp];

/** Words that must change nothing: each is answered with this status and these words. */
async function answers(id: string, expected: Partial<Record<Word, Answer>>): Promise<void> {
  const before = await lab.events(id);
  await Promise.all(
    Object.entries(expected).map(async ([word, [code, says]]) => {
      const ran = await lab.fleet("rollout", word, id);
      expect(ran.code, `${word}: ${ran.stderr}`).toBe(code);
      expect(ran.stderr, word).toMatch(says);
    }),
  );
  expect(await lab.events(id)).toEqual(before);
}

/** No word is taken by a run that is over; the answer names its state. */
const over = (state: string): Record<Word, Answer> => {
  const says = new RegExp(`is ${state}`);
  return { pause: [64, says], resume: [64, says], promote: [64, says], abort: [64, says], retry: [64, says] };
};

const revisions = async () => Object.values(await lab.revisions());
const ended = (ran: Ran, code: number): string => {
  expect(ran.code, ran.stdout + ran.stderr).toBe(code);
  return runId(ran);
};

describe("the command matrix", () => {
  it("nothing rolled out yet: says so", async () => {
    for (const word of ["pause", "resume", "promote", "abort", "retry", "undo", "status", "watch"]) {
      const ran = await lab.fleet("rollout", word);
      expect(ran.code, word).toBe(64);
      expect(ran.stderr, word).toMatch(/no run of this fleet is remembered/);
    }
    const named = await lab.fleet("rollout", "pause", "r-nothing");
    expect(named).toMatchObject({ code: 64, stderr: expect.stringContaining("there is no run r-nothing") });
  });

  let first: string;
  it("waiting at a gate: promote passes it, resume is told to promote", async () => {
    lab.release("m1");
    const ran = await lab.fleet("rollout", "--yes", "--promote", "manual", "--waves", "50%,100%");
    first = ended(ran, 5);
    expect(ran.stdout).toContain(`next: macula-fleet rollout promote ${first}`);
    await answers(first, {
      pause: [0, /already paused/],
      resume: [64, /paused \(gate\).*use promote/],
      retry: [64, /no failed or deferred host/],
    });
    expect((await revisions()).filter((r) => r === "m1")).toHaveLength(1);
    ended(await lab.fleet("rollout", "promote", first), 5);
    ended(await lab.fleet("rollout", "promote", first, "--full"), 0);
    expect(await revisions()).toEqual(["m1", "m1", "m1"]);
    expect(broken(await lab.events(first))).toBeNull();
  });

  it("succeeded: nothing but undo, which is a run of its own", async () => {
    await answers(first, over("succeeded"));
    const undone = ended(await lab.fleet("rollout", "undo", first, "--yes"), 0);
    expect(undone).not.toBe(first);
    expect(await revisions()).toEqual(["r1", "r1", "r1"]);
    const history = JSON.parse((await lab.must("rollout", "history", "-o", "json")).stdout);
    expect(history[0]).toMatchObject({ id: undone, reverts: first, state: "succeeded" });
  });

  it("paused for failures: retry once the cause is gone, and the run ends well", async () => {
    await lab.fault("node-01", "bad-health");
    const ran = await lab.fleet("rollout", "--yes", "--canary", "node-01");
    const id = ended(ran, 3);
    expect(ran.stdout).toContain(`macula-fleet rollout retry ${id}`);
    await answers(id, {
      pause: [0, /already paused/],
      resume: [64, /paused \(failures\).*failed hosts still stand/],
    });
    await lab.fault("node-01", "none");
    ended(await lab.fleet("rollout", "retry", id), 0);
    expect(await revisions()).toEqual(["m1", "m1", "m1"]);
    expect(broken(await lab.events(id))).toBeNull();
  });

  it("running under another process: it is told, and obeys", async () => {
    lab.release("m2");
    const controller = lab.begin(["rollout", "--yes", "-o", "ndjson", "--min-healthy-time", "9s"]);
    await controller.until(/"to":"confirming"/);
    const id = runId({ code: 0, stdout: controller.stdout, stderr: "" });
    const [resume, promote, retry, undo] = await Promise.all(
      ["resume", "promote", "retry", "undo"].map((word) => lab.fleet("rollout", word, id)),
    );
    expect(resume).toMatchObject({ code: 6, stderr: expect.stringMatching(/driven by/) });
    expect(promote).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/is running.*no gate is waiting/),
    });
    expect(retry).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/is running.*no failed or deferred/),
    });
    expect(undo).toMatchObject({ code: 6, stderr: expect.stringMatching(/is running, driven by/) });
    expect((await lab.fleet("rollout", "abort", id)).code).toBe(0);
    ended(await controller.done, 3);
  });

  it("paused by an operator from a second process, and resumed", async () => {
    lab.release("m3");
    const controller = lab.begin(["rollout", "--yes", "-o", "ndjson"]);
    await controller.until(/"to":"activating"/);
    const told = await lab.fleet("rollout", "pause");
    expect(told, told.stderr).toMatchObject({ code: 0, stderr: expect.stringMatching(/told .* to pause/) });
    const id = ended(await controller.done, 5);
    expect((await revisions()).filter((r) => r.includes("/"))).toEqual([]);
    await answers(id, { pause: [0, /already paused/], retry: [64, /no failed or deferred/] });
    ended(await lab.fleet("rollout", "resume", id), 0);
    expect(await revisions()).toEqual(["m3", "m3", "m3"]);
  });

  it("aborted from a second process: updated hosts stay, undo puts them back", async () => {
    lab.release("m4");
    const controller = lab.begin(["rollout", "--yes", "-o", "ndjson", "--min-healthy-time", "8s"]);
    await controller.until(/"to":"confirming"/);
    expect((await lab.fleet("rollout", "abort")).code).toBe(0);
    const id = ended(await controller.done, 3);
    expect((await revisions()).sort()).toEqual(["m3", "m3", "m4"]);
    await answers(id, over("aborted"));
    ended(await lab.fleet("rollout", "undo", id, "--yes"), 0);
    expect(await revisions()).toEqual(["m3", "m3", "m3"]);
  });

  it("--on-failure rollback: everybody goes back, and the state says so", async () => {
    lab.release("m5", "bad-health", "node-03");
    const ran = await lab.fleet("rollout", "--yes", "--on-failure", "rollback", "--canary", "node-01");
    const id = ended(ran, 3);
    expect(ran.stdout).toMatch(/rolled back/);
    expect(await revisions()).toEqual(["m3", "m3", "m3"]);
    await answers(id, over("rolled back"));
    expect(broken(await lab.events(id))).toBeNull();
  });

  it("ended with stragglers: retry takes them along", async () => {
    lab.release("m6");
    const controller = lab.begin([
      "rollout",
      "--yes",
      "-o",
      "ndjson",
      "--unreachable-deadline",
      "1s",
      "--canary",
      "node-02",
    ]);
    await controller.until(/"to":"confirming"/);
    await lab.fault("node-01", "unreachable");
    const id = ended(await controller.done, 4);
    expect((await revisions()).sort()).toEqual(["m3", "m6", "m6"]);
    const says = /succeeded with stragglers/;
    await answers(id, { pause: [64, says], resume: [64, says], promote: [64, says], abort: [64, says] });
    await lab.fault("node-01", "none");
    ended(await lab.fleet("rollout", "retry", id), 0);
    expect(await revisions()).toEqual(["m6", "m6", "m6"]);
  });
});
