/** Every fault of contract §8 against a rollout: what the operator is told, and where the hosts end. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { broken, type FleetLab, QUICK, runId, startLab } from "./support/lab.ts";

/** One lab per kind of trouble, so that they can happen side by side. */
async function troubled(
  fault: string | null,
  rollout: Readonly<Record<string, unknown>> = {},
): Promise<FleetLab> {
  const lab = await startLab({ hosts: 3, rollout: { ...QUICK, confirmTimeout: "8s", ...rollout } });
  if (fault) await lab.fault("node-01", fault);
  return lab;
}

/** A rollout to two peers, node-01 first; undisturbed it would end with 0. */
const GO = ["rollout", "--yes", "-l", "role=peer", "--canary", "node-01"];

async function withLab(lab: Promise<FleetLab>, body: (lab: FleetLab) => Promise<void>): Promise<void> {
  const running = await lab;
  try {
    await body(running);
  } finally {
    await running.down();
  }
}

describe.concurrent("lab faults against a rollout", () => {
  it("unreachable: deferred, exit 4; taken along when it is back", () =>
    withLab(troubled("unreachable"), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(4);
      expect(ran.stdout).toMatch(/deferred\s+1\s+node-01/);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r2" });
      await lab.fault("node-01", "none");
      expect((await lab.fleet(...GO)).code).toBe(0);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r2", "node-02": "r2" });
    }));

  it("drop-on-activate: comes back by itself, is reverted, the rollout stops", () =>
    withLab(troubled("drop-on-activate", { confirmTimeout: "3s" }), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(3);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r1" });
      const journal = await lab.events(runId(ran));
      expect(broken(journal)).toBeNull();
      const at = (to: string) => {
        const found = journal.find((e) => e.type === "host.state" && e.data.to === to && e.data.from !== to);
        return Date.parse(found?.ts ?? "");
      };
      const took = at("reverted") - at("activating");
      expect(took).toBeGreaterThan(0);
      console.log(
        `drop-on-activate: back by itself ${took} ms after the activation (confirm timeout 3000 ms)`,
      );
    }));

  it("bad-health: reverted, with the failed unit by name", () =>
    withLab(troubled("bad-health"), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(3);
      expect(ran.stdout).toMatch(/reverted\s+1\s+node-01/);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r1" });
      const story = await lab.fleet("rollout", "status", runId(ran), "--host", "node-01");
      expect(story.stdout).toMatch(/\.service/);
    }));

  it("disk-full: nothing activated, the message says what to run", () =>
    withLab(troubled("disk-full"), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(3);
      expect(ran.stdout).toMatch(/node-01 has 0 MiB free in \/nix\/store .*host-disk-full/);
      expect(ran.stdout).toContain("macula-fleet gc -l node-01");
      const [host] = await lab.hosts();
      expect(host?.logs).toEqual({});
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r1" });
    }));

  it("slow: takes longer, ends well", () =>
    withLab(troubled("slow", { confirmTimeout: "20s", healthyDeadline: "40s" }), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(0);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r2", "node-02": "r2" });
    }));

  it("hang: counts as out of reach, the others go on", () =>
    withLab(troubled("hang"), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(4);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r2" });
    }));

  it("wrong-host-key: a hard stop that says what to do, and touches nothing", () =>
    withLab(troubled("wrong-host-key"), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(3);
      expect(ran.stdout).toMatch(/HOST KEY CHANGED.*known_hosts:\d+/);
      expect(ran.stdout).toMatch(/fix: .*sed -i '\d+d' .*known_hosts/);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r1" });
    }));

  it("no-boot: the watchdog brings the old system back, the host is reported", () =>
    withLab(troubled("no-boot"), async (lab) => {
      const ran = await lab.fleet(...GO);
      expect(ran.code, ran.stdout + ran.stderr).toBe(3);
      expect(ran.stdout).toMatch(/reverted\s+1\s+node-01/);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r1" });
    }));

  it("power-cycle while it is being confirmed: the old system is back, nothing is committed", () =>
    withLab(troubled(null, { minHealthyTime: "3s" }), async (lab) => {
      const controller = lab.begin([...GO, "-o", "ndjson"]);
      await controller.until(/"to":"confirming"/);
      await lab.fault("node-01", "power-cycle");
      const ran = await controller.done;
      expect(ran.code, ran.stdout + ran.stderr).toBe(3);
      expect(await lab.revisions()).toMatchObject({ "node-01": "r1", "node-02": "r1" });
      expect(broken(await lab.events(runId(ran)))).toBeNull();
    }));
});

describe("out of reach in the middle of a rollout", () => {
  let lab: FleetLab;
  beforeAll(async () => {
    lab = await troubled(null, { minHealthyTime: "2s" });
  });
  afterAll(() => lab?.down());

  it("a host that leaves before its turn is deferred, exit 4; the others go on", async () => {
    const controller = lab.begin([...GO, "-o", "ndjson", "--unreachable-deadline", "2s"]);
    await controller.until(/"to":"confirming"/);
    await lab.fault("node-02", "unreachable");
    const ran = await controller.done;
    expect(ran.code, ran.stdout + ran.stderr).toBe(4);
    expect(await lab.revisions()).toMatchObject({ "node-01": "r2", "node-02": "r1" });
  });
});
