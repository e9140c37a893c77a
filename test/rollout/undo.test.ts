/** An undo is a rollout of its own. */
import { expect, test } from "vitest";
import { changedBy, planUndo } from "../../src/rollout/undo.ts";
import { aHost, anInventory, aPlan, system } from "../support/fleet.ts";
import { aRun, host, run, wave } from "../support/run.ts";

const NAMES = ["a", "b", "c", "d"];
const inventory = anInventory([
  ...NAMES.map((name) => aHost(name)),
  aHost("boot-1", "bootstrap"),
  aHost("boot-2", "bootstrap"),
]);
const plan = aPlan(inventory, { id: "r-7" });
const updated = (name: string) => [
  host(name, "staging", { previous: system(name, "r1") }),
  host(name, "activating", { fence: 1 }),
  host(name, "updated"),
];
const ended = aRun(
  plan,
  run("running"),
  wave("wave.start", 1),
  ...updated("a"),
  ...updated("b"),
  ...updated("boot-1"),
  host("c", "staging", { previous: system("c", "r1") }),
  host("c", "activating", { fence: 1 }),
  host("c", "reverted"),
  host("d", "deferred"),
  run("aborted"),
);
const undo = (more: Partial<Parameters<typeof planUndo>[1]> = {}) =>
  planUndo(ended, { id: "r-8", inventory, hosts: inventory.hosts, now: 1, ...more });

test("puts back whom the run left changed, to what they ran, and names it", () => {
  expect([...changedBy(ended).keys()].sort()).toEqual(["a", "b", "boot-1"]);
  const made = undo();
  expect(made).toMatchObject({ id: "r-8", kind: "undo", reverts: "r-7", revision: "undo of r-7" });
  expect(new Map(made.hosts.map((h) => [h.name, [h.from, h.to]]))).toEqual(
    new Map(["a", "b", "boot-1"].map((name) => [name, [system(name, "r2"), system(name, "r1")]])),
  );
});

test("without canaries and in one go, roles in order, every guard kept", () => {
  const made = undo();
  expect(made.waves.map((w) => [w.kind, [...w.hosts].sort()])).toEqual([
    ["wave", ["a", "b"]],
    ["wave", ["boot-1"]],
  ]);
  expect(made.guards).toEqual(plan.guards);
  expect(made.guards.length).toBeGreaterThan(0);
  expect(undo({ waves: true }).waves[0]?.kind).toBe("canary");
});

test("of the given hosts only", () => {
  const some = inventory.hosts.filter((h) => h.name === "a" || h.name === "d");
  expect(undo({ hosts: some }).hosts.map((h) => h.name)).toEqual(["a"]);
});

test("also one that was found to run the new system when it was tried again; not one that ran it all along", () => {
  const silent = { failure: { code: "unreachable", message: "", transient: false } };
  const state = aRun(
    plan,
    run("running"),
    wave("wave.start", 1),
    ...updated("a"),
    host("a", "failed", silent),
    host("a", "skipped", { detail: { confirmed: true } }, 2),
    host("b", "skipped"),
    ...updated("d"),
    host("d", "failed", silent),
    host("d", "skipped", {}, 2),
    host("c", "staging", { previous: system("c", "r1") }),
    host("c", "failed", silent),
    host("c", "skipped", silent, 2),
    run("succeeded_with_stragglers"),
  );
  expect([...changedBy(state).keys()]).toEqual(["a"]);
});

test("also one that fell silent once it had committed: it runs the new system still; not one seen back", () => {
  const silent = { failure: { code: "unreachable", message: "no answer", transient: false } };
  const more = (...bodies: Parameters<typeof aRun>[1][]) => [
    ...changedBy(
      aRun(plan, run("running"), host("a", "staging", { previous: "/nix/store/old" }), ...bodies),
    ).keys(),
  ];
  expect(more(host("a", "updated"), host("a", "failed", silent), run("succeeded_with_stragglers"))).toEqual([
    "a",
  ]);
  expect(more(host("a", "updated"), host("a", "reverting"), host("a", "reverted"), run("aborted"))).toEqual(
    [],
  );
  expect(more(host("a", "confirming"), host("a", "failed", silent), run("aborted"))).toEqual([]);
});
