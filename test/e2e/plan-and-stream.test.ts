/** What scripts build on: plans as data, exit codes, and the event stream (contract §4, §6). */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { broken, eventsOf, type FleetLab, QUICK, runId, startLab } from "./support/lab.ts";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({ hosts: 7, sites: 2, rollout: QUICK });
});
afterAll(() => lab?.down());

describe("plan", () => {
  it("prints how every percentage was resolved, and why a canary was chosen", async () => {
    const { stdout } = await lab.must(
      "plan",
      "--canary",
      "10%",
      "--waves",
      "50%,100%",
      "--max-parallel",
      "30%",
    );
    expect(stdout).toContain("canary 10 % of 7 -> 1");
    expect(stdout).toContain("max-parallel 30 % of 7 -> 2");
    expect(stdout).toContain("max-unavailable 50 % of 7 -> 3");
    expect(stdout).toMatch(/node-0\d .*canary: /);
    expect(stdout).toMatch(/quorum +bootstrap: 1 of 2 must be up/);
  });

  it("is the same plan every time, apart from its name", async () => {
    const [one, two] = await Promise.all([1, 2].map(() => lab.must("plan", "-o", "json")));
    expect(JSON.parse(one?.stdout ?? "").hash).toBe(JSON.parse(two?.stdout ?? "").hash);
  });

  it("--detailed-exitcode: 2 with changes, 0 without; rollout --check is the same", async () => {
    expect((await lab.fleet("plan", "--detailed-exitcode")).code).toBe(2);
    expect((await lab.fleet("rollout", "--check", "--detailed-exitcode")).code).toBe(2);
    expect((await lab.fleet("plan", "--detailed-exitcode", "--to", "r1")).code).toBe(0);
    expect(await lab.revisions()).toMatchObject({ "node-01": "r1" });
  });
});

describe("the event stream", () => {
  let id: string;

  it("of a saved plan: version line first, every event as the schema says, seq without a gap", async () => {
    const file = join(lab.dir, "p.json");
    await writeFile(file, (await lab.must("plan", "-o", "json", "-l", "role=peer")).stdout);
    const ran = await lab.fleet("rollout", file, "--yes", "-o", "ndjson");
    expect(ran.code, ran.stderr).toBe(0);
    const events = eventsOf(ran.stdout);
    id = runId(ran);
    expect(broken(events)).toBeNull();
    expect(events[0]?.type).toBe("plan");
    expect(events.at(-1)).toMatchObject({ type: "summary", data: { state: "succeeded", exit: 0 } });
    expect(await lab.events(id)).toEqual(events);
    expect(ran.stdout).not.toMatch(/PRIVATE KEY/);
  });

  it("can be taken up again after any event", async () => {
    const all = eventsOf((await lab.must("rollout", "status", id, "-o", "ndjson")).stdout);
    const rest = eventsOf(
      (await lab.must("rollout", "status", id, "-o", "ndjson", "--since-seq", "10")).stdout,
    );
    expect(rest).toEqual(all.slice(10));
  });

  it("can be followed from a second process while the first one drives", async () => {
    const driver = lab.begin(["rollout", "--yes", "-o", "ndjson", "--min-healthy-time", "2s"]);
    await driver.until(/"to":"activating"/);
    const run = runId({ code: 0, stdout: driver.stdout, stderr: "" });
    const watcher = lab.begin(["rollout", "watch", run, "-o", "ndjson"]);
    const [driven, watched] = await Promise.all([driver.done, watcher.done]);
    expect([driven.code, watched.code]).toEqual([0, 0]);
    expect(eventsOf(watched.stdout)).toEqual(eventsOf(driven.stdout));
  });

  it("-o json: one document with what changed and the next command", async () => {
    const status = JSON.parse((await lab.must("rollout", "status", "-o", "json")).stdout);
    expect(status).toMatchObject({ driven: false });
    expect(JSON.stringify(status)).toContain("succeeded");
  });
});
