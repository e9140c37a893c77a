import { expect, test } from "vitest";
import type { RunRecord } from "../store/store.ts";
import { currentTarget } from "./current-target.ts";

const run = (id: string, more: Partial<RunRecord>): RunRecord => ({
  id,
  kind: "rollout",
  revision: id,
  state: "succeeded",
  operator: "test",
  createdAt: 0,
  updatedAt: 0,
  lastSeq: 1,
  hosts: 1,
  ...more,
});

test.each<[string, readonly RunRecord[], string | null]>([
  ["nothing was ever rolled out", [], null],
  ["the newest that went through", [run("r-2", {}), run("r-1", {})], "r-2"],
  ["stragglers do not matter", [run("r-2", { state: "succeeded_with_stragglers" })], "r-2"],
  [
    "not one that was aborted or still runs",
    [run("r-3", { state: "running" }), run("r-2", { state: "aborted" }), run("r-1", {})],
    "r-1",
  ],
  ["not one that was undone", [run("r-3", { reverts: "r-2" }), run("r-2", {}), run("r-1", {})], "r-1"],
  [
    "an undo that failed undid nothing",
    [run("r-3", { reverts: "r-2", state: "failed" }), run("r-2", {})],
    "r-2",
  ],
  [
    "rollbacks and installations move no target",
    [run("b-2", { kind: "rollback" }), run("i-1", { kind: "install" })],
    null,
  ],
])("%s", (_, runs, expected) => {
  expect(currentTarget(runs)).toBe(expected);
});
