/** ^C once drains, twice leaves; either way no host is left half-changed (contract §2: 130). */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { broken, type FleetLab, QUICK, runId, startLab } from "./support/lab.ts";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({
    hosts: 3,
    rollout: { ...QUICK, minHealthyTime: "1500ms", confirmTimeout: "8s" },
  });
});
afterAll(() => lab?.down());

const settled = async () => Object.values(await lab.revisions());

describe("interrupting a rollout", () => {
  it("first ^C: hosts in flight finish, nothing new starts, exit 130, resume goes on", async () => {
    lab.release("c1");
    const controller = lab.begin(["rollout", "--yes", "-o", "ndjson"]);
    await controller.until(/"to":"confirming"/);
    controller.signal("SIGINT");
    const ran = await controller.done;
    expect(ran.code, ran.stderr).toBe(130);
    expect(ran.stderr).toMatch(/starts nothing new, what is in flight finishes/);
    // Each host runs what it boots: nothing waits for a confirmation that nobody will give.
    const revisions = await settled();
    expect(revisions.filter((r) => r === "c1")).toHaveLength(1);
    expect(revisions.filter((r) => r.includes("/"))).toEqual([]);
    const id = runId(ran);
    expect((await lab.fleet("rollout", "resume", id)).code).toBe(0);
    expect(await settled()).toEqual(["c1", "c1", "c1"]);
    expect(broken(await lab.events(id))).toBeNull();
  });

  it("second ^C: leaves at once, hosts revert themselves, resume tries them again", async () => {
    lab.release("c2");
    const controller = lab.begin(["rollout", "--yes", "-o", "ndjson"]);
    await controller.until(/"to":"confirming"/);
    controller.signal("SIGINT");
    await controller.until(/once more to leave now/);
    controller.signal("SIGINT");
    const ran = await controller.done;
    expect(ran.code, ran.stderr).toBe(130);
    expect(ran.stderr).toMatch(/hosts in flight revert themselves/);
    expect(ran.stderr).toMatch(/macula-fleet rollout resume/);
    const id = runId(ran);
    await expect.poll(settled, { timeout: 30_000, interval: 500 }).toEqual(["c1", "c1", "c1"]);
    const resumed = await lab.fleet("rollout", "resume", id);
    expect(resumed.code, resumed.stdout + resumed.stderr).toBe(0);
    expect(await settled()).toEqual(["c2", "c2", "c2"]);
    expect(broken(await lab.events(id))).toBeNull();
  });

  it("SIGTERM drains as ^C does", async () => {
    lab.release("c3");
    const controller = lab.begin(["rollout", "--yes", "-o", "ndjson"]);
    await controller.until(/"to":"activating"/);
    controller.signal("SIGTERM");
    expect((await controller.done).code).toBe(130);
    expect((await settled()).filter((r) => r.includes("/"))).toEqual([]);
    expect((await lab.fleet("rollout", "resume")).code).toBe(0);
  });

  it("^C while a plan is being made changes nothing", async () => {
    lab.release("c4");
    await lab.fault("node-01", "slow");
    const planning = lab.begin(["plan", "-v"]);
    setTimeout(() => planning.signal("SIGINT"), 1_000);
    const ran = await planning.done;
    expect([0, 130]).toContain(ran.code);
    expect(ran.stderr).not.toMatch(/bug|stack/i);
  });
});
