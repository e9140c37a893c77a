import { describe, expect, it } from "vitest";
import { checkParameters, checkProblems, checkTypes } from "./checks.ts";

describe("checks", () => {
  it("come in these kinds", () => {
    expect([...checkTypes].sort()).toEqual([
      "command",
      "disk",
      "http",
      "k3s",
      "mesh",
      "systemd",
      "tcp",
      "time",
    ]);
  });

  it("are described completely by what is wrong with them", () => {
    const problems = checkProblems([
      { name: "fine", type: "systemd" },
      { name: "a", type: "ping" },
      { name: "b", type: "tcp", port: 70_000 },
      { name: "c", type: "http", url: "ftp://x", timeout: "1h" },
      { name: "d", type: "mesh", minPeers: "80 % of them" },
    ]);
    expect(problems.map((p) => [p.index, p.path])).toEqual([
      [1, "type"],
      [2, "port"],
      [3, "timeout"],
      [3, "url"],
      [4, "minPeers"],
    ]);
    expect(problems[0]?.message).toContain("systemd, tcp, http");
  });

  it.each([
    [
      { type: "mesh", minPeers: "80% of baseline" },
      { MINPEERS: 1, PERCENT: 80, FIELD: "peers" },
    ],
    [
      { type: "mesh", minPeers: 3, command: "mesh peers" },
      { MINPEERS: 3, PERCENT: "", URL: "", COMMAND: "mesh peers" },
    ],
    [
      { type: "mesh", count: false, bootstrap: ["a:1", "b:2"] },
      { COMMAND: "", URL: "", BOOTSTRAP: "a:1 b:2" },
    ],
    [
      { type: "disk", minMiB: 2 },
      { PATHNAME: "/nix/store", CLOSURES: 2, MINKIB: 2048 },
    ],
    [
      { type: "k3s", timeout: 30 },
      { NODE: "", TIMEOUT: 30 },
    ],
    [
      { type: "command", command: "a 'b'", timeout: "1m" },
      { COMMAND: "a 'b'", TIMEOUT: 60 },
    ],
  ])("%j travel as %j", (check, expected) => {
    const parameters = checkParameters([{ name: "n", ...check }]);
    for (const [key, value] of Object.entries(expected)) expect(parameters[`CHECK_1_${key}`]).toBe(value);
  });
});
