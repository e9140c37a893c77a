import { expect, it } from "vitest";
import { hostStatus, statusTable } from "../../src/ui/fleet-status.ts";
import { historyTable } from "../../src/ui/listings.ts";
import { METRICS_CONTENT_TYPE, metricsText } from "../../src/ui/metrics.ts";
import { renderTable } from "../../src/ui/table.ts";
import { foldAll } from "../../src/ui/view/model.ts";
import { anObservation } from "../support/run.ts";
import { canaryFailed, START, undo } from "./journals.ts";

const HOUR = 3_600_000;

it("lists like kubectl: aligned, without borders, missing values as a dash", () => {
  const rows = [
    { name: "node-01", gen: 41, note: null },
    { name: "日本", gen: 7, note: "held\u001b[2J\nhere" },
  ];
  const text = renderTable(rows, [
    { head: "host", cell: (r) => r.name },
    { head: "gen", cell: (r) => r.gen, align: "right" },
    { head: "note", cell: (r) => r.note },
    { head: "never", cell: () => "x", wide: true },
  ]);
  expect(text.split("\n")).toEqual([
    "HOST      GEN   NOTE",
    "node-01    41   -",
    "日本        7   held here",
  ]);
});

it("lists runs, with more columns when wide", () => {
  const run = {
    id: "r-8",
    kind: "rollout",
    revision: "a".repeat(40),
    state: "rolled_back",
    reverts: "r-7",
    operator: "ada@desk",
    createdAt: START,
    updatedAt: START + HOUR,
    lastSeq: 99,
    hosts: 24,
  } as const;
  const text = historyTable([run], { now: START + 2 * HOUR });
  expect(text).toMatch(/^RUN .*\nr-8 +undo of r-7 +aaaaaaaaa +rolled back +24 +2h$/);
  expect(text).not.toContain("ada@desk");
  expect(historyTable([run], { now: START, wide: true })).toContain("ada@desk");
});

const host = (name: string) =>
  ({ name, role: "peer", site: "gent", arch: "x86_64-linux", state: "active" }) as const;
const unreachable = { code: "unreachable", message: "connection refused", transient: true } as const;

it("lists hosts with the last that is known of them, and how old that is", () => {
  const record = {
    host: "node-02",
    seenAt: START - HOUR,
    revision: "26.05.3",
    generation: 41,
    outcome: "reverted",
    outcomeRun: "r-7",
    held: { reason: "42 lost its route", by: "ada", since: START },
    owes: { run: "r-7", revision: "26.05.4", since: START - HOUR },
  } as const;
  const rows = [
    { host: host("node-01"), record: undefined },
    { host: host("node-02"), record, failure: unreachable },
    { host: { ...host("node-03"), state: "planned" as const }, record: undefined },
  ].map((known) => hostStatus(known, START));
  const [, first, second, third] = statusTable(rows, { now: START }).split("\n");
  expect(first).toMatch(/^node-01 +peer +gent +- +- +- +unknown +never +-$/);
  expect(second).toMatch(
    /26\.05\.3 +41 +- +unreachable +1h ago +out of reach; held by ada: 42 lost its route; reverted in r-7; owes 26\.05\.4 since 1h$/,
  );
  expect(third).toMatch(/unknown +never +planned$/);
});

it("says whom a run left in flight, as long as nobody sees it at rest", () => {
  const record = { host: "node-02", unsettled: { run: "r-7", since: START } };
  const notes = (more: object) => hostStatus({ host: host("node-02"), record, ...more }, START).notes;
  const left = "left in flight by r-7: unavailable until it is seen at rest";
  expect(notes({ failure: unreachable })).toEqual(["out of reach", left]);
  expect(notes({ observation: anObservation("/nix/store/x", { revertArmed: true }) })).toContain(left);
  expect(notes({ observation: anObservation("/nix/store/x") })).not.toContain(left);
});

it("never calls a system by a revision it was not given", () => {
  const path = (name: string) => `/nix/store/${"b".repeat(32)}-${name}`;
  const status = (current: string) =>
    hostStatus(
      {
        host: host("node-01"),
        record: { host: "node-01", current, lastHealthy: path("x"), revision: "4f1c2aa" },
      },
      START,
    );
  expect(status(path("x")).revision).toBe("4f1c2aa");
  expect(status(path("nixos-system-node-01-26.05.9")).revision).toBe("26.05.9");
  expect(status(path("something")).revision).toBe("bbbbbbb");
});

it("turns runs into Prometheus text", async () => {
  const views = [canaryFailed(), undo()].flatMap((j) => foldAll(j.events) ?? []);
  const text = await metricsText(views);
  expect(text).toContain('macula_fleet_run_hosts{run="r-7",state="reverted"} 1');
  expect(text).toContain('macula_fleet_run_hosts{run="r-7",state="pending"} 10');
  expect(text).toContain('macula_fleet_run_state{run="r-7",state="paused"} 1');
  expect(text).toContain('macula_fleet_run_state{run="r-7",state="running"} 0');
  expect(text).toContain('macula_fleet_run_failures{run="r-8",code="health-failed"} 1');
  expect(await metricsText(views)).toBe(text);
  expect(METRICS_CONTENT_TYPE).toContain("text/plain");
});
