/** Two controllers, one fleet: leases, overlap, supersede, and disjoint rollouts side by side. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { broken, type FleetLab, QUICK, runId, startLab } from "./support/lab.ts";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({
    hosts: 6,
    sites: 2,
    rollout: { ...QUICK, minHealthyTime: "2s", confirmTimeout: "15s", healthyDeadline: "30s" },
  });
});
afterAll(() => lab?.down());

describe("two controllers at once", () => {
  it("refuses a second one with exit 6, at once, and says who has it", async () => {
    lab.release("t1");
    const first = lab.begin([
      "rollout",
      "--yes",
      "-l",
      "node-01",
      "-o",
      "ndjson",
      "--min-healthy-time",
      "20s",
      "--healthy-deadline",
      "40s",
      "--confirm-timeout",
      "30s",
    ]);
    await first.until(/"to":"activating"/);
    const id = runId({ code: 0, stdout: first.stdout, stderr: "" });

    // Three at once, while the first one waits for its host's health.
    const [overlapping, superseding, resumed] = await Promise.all([
      lab.fleet("rollout", "--yes", "-l", "node-01,node-02"),
      lab.fleet("rollout", "--yes", "-l", "node-01", "--supersede"),
      lab.fleet("rollout", "resume", id),
    ]);
    expect(overlapping.code, overlapping.stderr).toBe(6);
    expect(overlapping.stderr).toMatch(new RegExp(`${id} \\(driven by .*:${first.pid}\\).*node-01`));
    expect(overlapping.stderr).toContain(`macula-fleet rollout abort ${id}`);
    expect(superseding.code, superseding.stderr).toBe(6);
    expect(resumed.code, resumed.stderr).toBe(6);
    expect(resumed.stderr).toMatch(new RegExp(`driven by .*:${first.pid}`));
    expect((await first.done).code).toBe(0);
    expect(broken(await lab.events(id))).toBeNull();
    expect((await lab.revisions())["node-02"]).toBe("r1");
  });

  it("runs disjoint rollouts side by side", async () => {
    lab.release("t2");
    const pair = ["node-01", "node-02"].map((host) => lab.begin(["rollout", "--yes", "-l", host]));
    expect((await Promise.all(pair.map((p) => p.done))).map((ran) => ran.code)).toEqual([0, 0]);
    expect(await lab.revisions()).toMatchObject({ "node-01": "t2", "node-02": "t2", "node-03": "r1" });
  });

  it("lets only one of two racing rollouts of the same hosts start", async () => {
    lab.release("t3");
    const pair = [1, 2].map(() => lab.begin(["rollout", "--yes", "-l", "node-01"]));
    const codes = (await Promise.all(pair.map((p) => p.done))).map((ran) => ran.code);
    expect(codes.sort()).toEqual([0, 6]);
  });

  it("takes hosts over from a rollout that stands still, on request only", async () => {
    lab.release("t4");
    const waiting = await lab.fleet(
      "rollout",
      "--yes",
      "-l",
      "role=peer",
      "--promote",
      "manual",
      "--canary",
      "1",
    );
    expect(waiting.code, waiting.stderr).toBe(5);
    const old = runId(waiting);
    const refused = await lab.fleet("rollout", "--yes", "-l", "role=peer");
    expect(refused.code).toBe(6);
    expect(refused.stderr).toContain(`${old} (paused)`);
    expect(refused.stderr).toContain("--supersede");

    const taken = await lab.fleet("rollout", "--yes", "-l", "role=peer", "--supersede");
    expect(taken.code, taken.stderr).toBe(0);
    for (const word of ["resume", "pause", "promote", "abort", "retry"]) {
      const late = await lab.fleet("rollout", word, old);
      expect(late, word).toMatchObject({ code: 64, stderr: expect.stringContaining("superseded") });
    }
    expect(await lab.revisions()).toMatchObject({ "node-01": "t4", "node-02": "t4", "node-03": "t4" });
  });

  it("does not retry a rollout that has ended while another one stands still with its hosts", async () => {
    lab.release("t5");
    await lab.fault("node-03", "bad-health");
    const ended = await lab.fleet("rollout", "--yes", "-l", "role=peer", "--on-failure", "continue");
    expect(ended.code, ended.stderr).toBe(3);
    await lab.fault("node-03", "none");
    lab.release("t6");
    const waiting = await lab.fleet(
      "rollout",
      "--yes",
      "-l",
      "role=peer",
      "--promote",
      "manual",
      "--canary",
      "1",
    );
    expect(waiting.code, waiting.stderr).toBe(5);

    const refused = await lab.fleet("rollout", "retry", runId(ended));
    expect(refused.code).toBe(6);
    expect(refused.stderr).toContain(`${runId(waiting)} (paused) has not finished with`);
  });
});
