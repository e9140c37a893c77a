/** `--limit state=…`: what is remembered of a host, as words an operator can select by. */
import { expect, test } from "vitest";
import { hostStates } from "../../src/rollout/host-states.ts";
import type { HostRecord } from "../../src/store/store.ts";

const record = (more: Partial<HostRecord>) => ({ host: "a", ...more }) as HostRecord;
const owes = {} as NonNullable<HostRecord["owes"]>;

test.each<[string, Partial<HostRecord>, string[]]>([
  ["updated", { outcome: "updated" }, []],
  ["failed", { outcome: "failed" }, ["failed"]],
  ["reverted", { outcome: "reverted" }, ["failed"]],
  ["deferred", { outcome: "deferred" }, ["deferred", "outdated"]],
  ["owes an update", { outcome: "updated", owes }, ["deferred", "outdated"]],
  ["failed, and owes an update", { outcome: "failed", owes }, ["failed", "deferred", "outdated"]],
])("%s", (_what, more, states) => {
  expect(hostStates(new Map([["a", record(more)]]))("a")).toEqual(states);
});

test("nothing is remembered", () => {
  expect(hostStates(new Map())("a")).toEqual([]);
});
