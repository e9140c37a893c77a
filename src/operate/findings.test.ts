import { describe, expect, test } from "vitest";
import type { Observation } from "../host/protocol.ts";
import { findingsOf } from "./findings.ts";

const system = (name: string) => `/nix/store/${"a".repeat(32)}-nixos-system-node-01-${name}`;
const fine: Observation = {
  schema: 1,
  hostname: "node-01",
  os: { id: "nixos", version: "26.05", variant: "" },
  arch: "x86_64",
  bootId: "b",
  uptime: 1,
  clock: 1,
  current: system("r1"),
  booted: system("r1"),
  profile: system("r1"),
  generation: 1,
  bootDefault: system("r1"),
  loader: "systemd-boot",
  rebootPending: false,
  failedUnits: [],
  systemState: "running",
  state: null,
  activateActive: false,
  revertArmed: false,
  revertIn: null,
  closureValid: null,
  disk: { storeFree: 1e7, bootFree: 1e6, rootFree: 1e7 },
  memory: 4e6,
  hold: null,
  lock: null,
  foreign: [],
  otherRuns: [],
  nix: "2.31.2",
  elevation: "root",
  trustedUser: true,
};
const kinds = (o: Partial<Observation>, lastHealthy?: string) =>
  findingsOf("node-01", { ...fine, ...o }, { host: "node-01", ...(lastHealthy ? { lastHealthy } : {}) }).map(
    (f) => f.kind,
  );

describe("drift", () => {
  test("none where everything is as recorded, or nothing was", () => {
    expect(kinds({}, system("r1"))).toEqual([]);
    expect(kinds({})).toEqual([]);
  });

  test.each<[string, Partial<Observation>, string[]]>([
    ["a test system nobody committed", { current: system("r2") }, ["uncommitted"]],
    [
      "somebody else's system",
      { current: system("x"), profile: system("x"), bootDefault: system("x") },
      ["unexpected-system"],
    ],
    ["another boot default", { bootDefault: system("r0") }, ["boot-default"]],
    ["a loader that does not tell", { bootDefault: "" }, []],
    ["an older kernel running", { rebootPending: true }, ["reboot-pending"]],
    ["failed units", { failedUnits: ["a.service"] }, ["failed-units"]],
    ["another master", { foreign: ["nixos-upgrade.timer"] }, ["foreign"]],
    ["a run at work", { otherRuns: ["macula-fleet-r-1-revert.timer"] }, ["run-active"]],
    ["a machine in an installer", { current: "", profile: "", bootDefault: "" }, []],
  ])("%s", (_, seen, expected) => {
    expect(kinds(seen, system("r1"))).toEqual(expected);
  });

  test("each says what to do", () => {
    for (const finding of findingsOf(
      "node-01",
      { ...fine, rebootPending: true, failedUnits: ["a"] },
      undefined,
    ))
      expect(finding.fix).toContain("macula-fleet ");
  });
});
