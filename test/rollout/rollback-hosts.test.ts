/** `rollback HOST`: where to. */
import { describe, expect, test } from "vitest";
import { earlierSystem, planRollback } from "../../src/rollout/rollback-hosts.ts";
import { aHost, anInventory, system } from "../support/fleet.ts";

const path = (version: string) => system("a", version);
const generations = (...versions: string[]) =>
  versions.map((version, i) => ({
    number: i + 1,
    path: path(version),
    date: 0,
    version,
    kernel: "",
    current: false,
  }));
const on = (version: string) => ({ current: path(version), profile: path(version) });

describe("the system a host goes back to", () => {
  test.each([
    ["the last healthy one, when it runs something else", ["r1", "r2", "r3"], "r3", ["r2", "r1"], "r2"],
    ["the one before, when it runs the last healthy one", ["r1", "r2", "r3"], "r2", ["r2", "r1"], "r1"],
    ["a healthy one that is newer than the present", ["r1", "r2", "r3"], "r1", ["r3", "r1"], "r3"],
    ["what is there, where the healthy ones are gone", ["r2", "r3"], "r3", ["r1", "r0"], "r2"],
    ["by generations, where nothing is remembered", ["r1", "r2", "r3"], "r2", [], "r1"],
    ["the newest other one, when the present one has no generation", ["r1", "r2"], "r9", [], "r2"],
    ["not the present one under another number", ["r1", "r2", "r1"], "r1", [], "r2"],
  ])("%s", (_, have, now, [lastHealthy, previousHealthy], to) => {
    const record = {
      host: "a",
      ...(lastHealthy ? { lastHealthy: path(lastHealthy) } : {}),
      ...(previousHealthy ? { previousHealthy: path(previousHealthy) } : {}),
    };
    expect(earlierSystem(generations(...have), on(now), record)).toBe(path(to));
  });

  test.each([
    ["nothing before it", ["r1", "r2"], "r1"],
    ["only itself", ["r1"], "r1"],
    ["nothing at all", [], "r1"],
  ])("there is none: %s", (_, have, now) => {
    expect(earlierSystem(generations(...have), on(now), undefined)).toBeNull();
  });
});

test("a rollback has no waves, and every host it is for", () => {
  const inventory = anInventory([aHost("a"), aHost("b"), aHost("c")]);
  const plan = planRollback({
    id: "b-1",
    inventory,
    hosts: inventory.hosts,
    revision: "last healthy",
    now: 1,
    seen: new Map(
      ["a", "b", "c"].map((name) => [name, { current: system(name, "r2"), profile: system(name, "r2") }]),
    ),
    targets: new Map(["a", "b", "c"].map((name) => [name, system(name, "r1")])),
  });
  expect(plan).toMatchObject({ id: "b-1", kind: "rollback", revision: "last healthy" });
  expect(plan.waves).toHaveLength(1);
  expect(plan.hosts.map((h) => [h.from, h.to])).toEqual(
    plan.hosts.map((h) => [system(h.name, "r2"), system(h.name, "r1")]),
  );
});
