/** kill -9 of the controller at any point, and `rollout resume` afterwards (contract §5.6). */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { activations, broken, type FleetLab, QUICK, runId, startLab } from "./support/lab.ts";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({
    hosts: 6,
    sites: 2,
    rollout: {
      ...QUICK,
      minHealthyTime: "1s",
      confirmTimeout: "15s",
      soak: { canary: "1s", wave: "1s" },
      maxParallel: "100%",
      maxUnavailable: "100%",
    },
  });
});
afterAll(() => lab?.down());

const PEERS = ["-l", "role=peer"];
let releases = 1;

/** A rollout to the three peers whose controller dies as soon as its stream says `point`. */
async function killedAt(point: RegExp, ...more: string[]): Promise<{ id: string; release: string }> {
  const release = `k${++releases}`;
  lab.release(release);
  const controller = lab.begin([
    "rollout",
    "--yes",
    "--canary",
    "1",
    "--waves",
    "100%",
    ...PEERS,
    ...more,
    "-o",
    "ndjson",
  ]);
  await controller.until(point);
  controller.signal("SIGKILL");
  const ran = await controller.done;
  expect(ran.code).toBe(137);
  return { id: runId(ran), release };
}

async function peers(): Promise<Record<string, string>> {
  const revisions = Object.entries(await lab.revisions());
  return Object.fromEntries(revisions.filter(([name]) => name <= "node-03"));
}
const all = (revision: string) => ({ "node-01": revision, "node-02": revision, "node-03": revision });

async function resumed(id: string, release: string) {
  const ran = await lab.fleet("rollout", "resume", id, "-o", "ndjson");
  expect(ran.code, ran.stderr).toBe(0);
  expect(await peers()).toEqual(all(release));
  const journal = await lab.events(id);
  expect(broken(journal)).toBeNull();
  expect(journal.at(-1)).toMatchObject({ type: "summary", data: { state: "succeeded", ok: 3, failed: 0 } });
  return journal;
}

describe("kill -9 of the controller", () => {
  it.each([
    ["in staging", /"wave":2.*"to":"staging"/],
    ["right after the intent to activate is journalled", /"wave":2.*"to":"activating"/],
    ["while health is being proven", /"wave":2.*"to":"confirming"/],
    ["right after the intent to commit is journalled", /"wave":2.*"to":"committing"/],
    ["in the soak of a wave", /"type":"wave.soak"/],
  ])("%s: resume finishes, nobody is activated twice", async (_when, point) => {
    const { id, release } = await killedAt(point);
    await resumed(id, release);
    // The hosts' own memory of it.
    const hosts = (await lab.hosts()).slice(0, 3);
    expect(hosts.map((h) => activations(h, id))).toEqual([1, 1, 1]);
    expect(hosts.flatMap((h) => h.armed)).toEqual([]);
  });

  it("long enough ago: hosts went back on their own, resume tries them again", async () => {
    const before = await peers();
    const { id, release } = await killedAt(/"wave":1.*"to":"confirming"/, "--confirm-timeout", "4s");
    await expect.poll(peers, { timeout: 30_000, interval: 500 }).toEqual(before);
    const journal = await resumed(id, release);
    expect(journal.some((e) => e.type === "host.state" && e.data.to === "updated" && e.attempt === 2)).toBe(
      true,
    );
  });
});
