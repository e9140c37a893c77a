/** The whole story of the README, command by command. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { broken, type FleetLab, QUICK, runId, startLab, walks } from "./support/lab.ts";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({ hosts: 6, sites: 2, blank: true, rollout: QUICK });
});
afterAll(() => lab?.down());

const everywhere = (revision: string, hosts = 6) =>
  Object.fromEntries(Array.from({ length: hosts }, (_, i) => [`node-0${i + 1}`, revision]));

describe("from bare machines to a fleet that went back and forth", () => {
  let good: string;

  it("installs every machine", async () => {
    const ran = await lab.fleet("install", lab.inventory, "--to", "r1", "--yes");
    expect(ran.code, ran.stderr).toBe(0);
    expect(await lab.revisions()).toEqual(everywhere("r1"));
  });

  it("stops at a canary that goes bad, and the canary is back by itself", async () => {
    lab.release("r2", "bad-health");
    const ran = await lab.fleet("rollout", "--canary", "10%", "--yes");
    expect(ran.code, ran.stderr).toBe(3);
    expect(ran.stdout).toMatch(/paused: too many failures/);
    expect(ran.stdout).toMatch(/next: macula-fleet rollout status r-\w+ --host node-0/);
    expect(await lab.revisions()).toEqual(everywhere("r1"));
    const journal = await lab.events(runId(ran));
    expect(broken(journal)).toBeNull();
    const [canary, ...others] = Object.entries(walks(journal));
    expect(canary?.[1].at(-1)).toBe("reverted");
    expect(others).toEqual([]);
    expect(await lab.fleet("rollout", "status", runId(ran), "--host", canary?.[0] ?? "")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("reverted"),
    });
  });

  it("aborts it, and nobody is changed", async () => {
    const ran = await lab.fleet("rollout", "abort");
    expect(ran.code, ran.stderr).toBe(3);
    expect(ran.stdout).toMatch(/aborted/);
    expect(await lab.revisions()).toEqual(everywhere("r1"));
  });

  it("rolls a good release out to everybody: peers, gateways, bootstraps", async () => {
    lab.release("r3");
    const ran = await lab.fleet("rollout", "--canary", "10%", "--yes");
    good = runId(ran);
    expect(ran.code, ran.stderr).toBe(0);
    expect(await lab.revisions()).toEqual(everywhere("r3"));
    const journal = await lab.events(good);
    expect(broken(journal)).toBeNull();
    const updated = journal.flatMap((e) =>
      e.type === "host.state" && e.data.to === "updated" ? [e.role] : [],
    );
    expect(updated.slice(-3)).toEqual(["gateway", "bootstrap", "bootstrap"]);
    expect(await lab.fleet("rollout", "--yes")).toMatchObject({ code: 0 });
  });

  it("rolls one host back and holds it there", async () => {
    const ran = await lab.fleet("rollback", "node-03", "--yes");
    expect(ran.code, ran.stderr).toBe(0);
    expect(await lab.revisions()).toEqual({ ...everywhere("r3"), "node-03": "r1" });
    const listed = await lab.fleet("generations", "node-03");
    expect(listed.code).toBe(0);
    expect(listed.stdout).toMatch(/r1/);
    expect(listed.stdout).toMatch(/r3/);

    lab.release("r4");
    const passed = await lab.fleet("rollout", "--yes");
    expect(passed.code, passed.stderr).toBe(4);
    expect(passed.stdout).toMatch(/held/);
    expect(await lab.revisions()).toEqual({ ...everywhere("r4"), "node-03": "r1" });
  });

  it("takes it along again once it is no longer held", async () => {
    await lab.must("unhold", "node-03");
    const ran = await lab.fleet("rollout", "--yes");
    expect(ran.code, ran.stderr).toBe(0);
    expect(await lab.revisions()).toEqual(everywhere("r4"));
  });

  it("remembers all of it", async () => {
    const status = await lab.must("status");
    expect(status.stdout.match(/\br4\b/g)).toHaveLength(6);
    const history = JSON.parse((await lab.must("rollout", "history", "-o", "json")).stdout) as unknown[];
    expect(history).toMatchObject([
      { kind: "rollout", state: "succeeded" },
      { kind: "rollout", state: "succeeded_with_stragglers" },
      { kind: "rollback", state: "succeeded" },
      { kind: "rollout", state: "succeeded", id: good },
      { kind: "rollout", state: "aborted" },
      { kind: "install", state: "succeeded" },
    ]);
  });
});
