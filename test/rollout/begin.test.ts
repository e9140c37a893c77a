/** Who may begin, or go on, with which hosts. */
import { beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/kernel/clock.ts";
import type { Plan } from "../../src/plan/model.ts";
import { startRun, takenBy } from "../../src/rollout/begin.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { run } from "../support/run.ts";

const planOf = (id: string, ...names: string[]): Plan =>
  aPlan(anInventory(names.map((name) => aHost(name))), { id });
const by = { operator: "ann", clock: systemClock };
const LEASE_MS = 60_000;

let store: MemoryStore;
const stateOf = async (id: string) => (await store.run(id))?.state;
const drives = (id: string) => store.lease(`run:${id}`, "bob", LEASE_MS, Date.now());

beforeEach(async () => {
  store = new MemoryStore();
  await startRun(store, planOf("r-1", "a", "b"), by);
  await startRun(store, planOf("r-2", "c"), by);
});

describe("a run begins", () => {
  test("beside others that have other hosts", async () => {
    const events = await startRun(store, planOf("r-3", "d"), by);
    expect(events).toMatchObject([{ seq: 1, type: "plan", data: { plan: { id: "r-3" } } }]);
    expect(await stateOf("r-1")).toBe("planned");
  });

  test("not with a host that another has not finished with", async () => {
    await expect(startRun(store, planOf("r-3", "b", "d"), by)).rejects.toMatchObject({
      code: "locked",
      message: "r-1 (planned) has not finished with b",
      hint: expect.stringContaining("--supersede"),
    });
    expect(await store.run("r-3")).toBeNull();
  });

  test("instead of those, when it supersedes them", async () => {
    await startRun(store, planOf("r-3", "b", "c"), { ...by, supersede: true });
    expect(await stateOf("r-1")).toBe("superseded");
    expect(await stateOf("r-2")).toBe("superseded");
    expect((await store.events("r-1")).at(-1)).toMatchObject({ data: { to: "superseded", detail: "r-3" } });
  });

  test("or it supersedes nobody: one of them is driven", async () => {
    for (const driven of ["r-1", "r-2"]) {
      const lease = await drives(driven);
      await expect(
        startRun(store, planOf("r-3", "b", "c"), { ...by, supersede: true }),
      ).rejects.toMatchObject({ code: "locked", message: expect.stringContaining("driven by bob") });
      expect([await stateOf("r-1"), await stateOf("r-2")]).toEqual(["planned", "planned"]);
      if (lease) await store.release(lease);
    }
  });
});

test("who has not finished with hosts of a run, planned ones included, is told", async () => {
  const plan = planOf("r-3", "b", "d");
  expect(await takenBy(store, plan)).toBe("r-1 (planned) has not finished with b");
  expect(await takenBy(store, planOf("r-1", "a", "b"))).toBeNull();
  await store.append("r-1", 1, [run("aborted")], { now: 0 });
  expect(await takenBy(store, plan)).toBeNull();
});
