import { describe, expect, test } from "vitest";
import { type NodeRecord, quorumProblem } from "../../src/convert/k3s/kubectl.ts";
import { type ClusterFacts, chooseStrategy, minor } from "../../src/convert/k3s/strategy.ts";

const base: ClusterFacts = {
  role: "server",
  datastore: "sqlite",
  version: "1.23.3",
  targetMinor: "1.35",
  serverVersions: ["v1.23.3+k3s1"],
  readyServers: 1,
  servers: 1,
  workloadsInGit: false,
  tokenKnown: true,
  volumes: 1024,
  volumesLimit: 1_000_000,
  carry: false,
};
const choose = (change: Partial<ClusterFacts>) => chooseStrategy({ ...base, ...change });

describe("chosen", () => {
  test.each<[string, Partial<ClusterFacts>, string, boolean]>([
    ["no k3s, nothing to do", { role: "none", datastore: "none" }, "none", false],
    [
      "an agent whose server is new enough rejoins",
      { role: "agent", serverVersions: ["v1.35.1", "v1.36.0"] },
      "rejoin",
      false,
    ],
    [
      "an agent three minors behind its server is still allowed",
      { role: "agent", serverVersions: ["v1.38.0"] },
      "rejoin",
      false,
    ],
    ["a single server with workloads in git starts afresh", { workloadsInGit: true }, "fresh", false],
    [
      "a single server one minor behind takes its datastore along",
      { carry: true, version: "1.34.2" },
      "carry",
      true,
    ],
    ["the same minor as well", { carry: true, version: "1.35.0" }, "carry", true],
    [
      "etcd of one server is like a single one",
      { datastore: "etcd", carry: true, version: "1.34.2" },
      "carry",
      true,
    ],
    [
      "one of three etcd servers leaves and joins",
      { datastore: "etcd", servers: 3, readyServers: 3, serverVersions: ["v1.34.1", "v1.34.1", "v1.35.0"] },
      "etcd-member",
      false,
    ],
    [
      "one of five with one down already",
      { datastore: "etcd", servers: 5, readyServers: 4, serverVersions: ["v1.35.0"] },
      "etcd-member",
      false,
    ],
    ["an external datastore stays", { datastore: "external" }, "external", false],
  ])("%s", (_, change, kind, datastore) => {
    expect(choose(change)).toMatchObject({ ok: true, kind, datastore });
  });
});

describe("refused, with the reason and what would help", () => {
  test.each<[string, Partial<ClusterFacts>, RegExp]>([
    [
      "an agent before its server",
      { role: "agent", serverVersions: ["v1.23.3"] },
      /kubelet \(1\.35\) must not be newer/,
    ],
    [
      "the oldest server counts",
      { role: "agent", serverVersions: ["v1.36.0", "v1.34.0"] },
      /its server runs 1\.34/,
    ],
    ["an agent too far behind", { role: "agent", serverVersions: ["v1.39.0"] }, /more than three minors/],
    ["an agent of an unknown server", { role: "agent", serverVersions: [] }, /version is not known/],
    ["a single server with nothing in git", {}, /nothing shows that the workloads are in git/],
    ["a datastore many minors behind", { carry: true }, /12 minors ahead, and k3s must not skip any/],
    ["a datastore newer than the system", { carry: true, version: "1.36.0" }, /older than the datastore/],
    ["a datastore of an unknown version", { carry: true, version: null }, /version is not known/],
    ["quorum would drop", { datastore: "etcd", servers: 3, readyServers: 2 }, /no quorum \(2\)/],
    [
      "two servers are never enough for one to leave",
      { datastore: "etcd", servers: 2, readyServers: 2 },
      /no quorum/,
    ],
    [
      "servers more than one minor apart",
      { datastore: "etcd", servers: 3, readyServers: 3, serverVersions: ["v1.33.0", "v1.35.0", "v1.35.0"] },
      /more than one apart/,
    ],
    ["external without its token", { datastore: "external", tokenKnown: false }, /token is not known/],
    [
      "more in its volumes than may travel",
      { volumes: 2_000_000, workloadsInGit: true },
      /its volumes hold 1\.9 GiB/,
    ],
  ])("%s", (_, change, reason) => {
    const chosen = choose(change);
    expect(chosen.ok).toBe(false);
    if (chosen.ok) return;
    expect(chosen.reason).toMatch(reason);
    expect(chosen.fix).not.toBe("");
  });
});

test("minors of every way a version is written", () => {
  expect(["1.35", "v1.23.3+k3s1", "1.9.0"].map(minor)).toEqual([35, 23, 9]);
  expect(minor("")).toBeNaN();
});

describe("a member of etcd may leave", () => {
  const node = (name: string, ready: boolean, server = true): NodeRecord => ({
    ...{ name, uid: name, version: "v1.34.2", labels: {}, cordoned: false },
    ready,
    server,
  });
  test.each([
    ["of three when both others are ready", [node("a", true), node("b", true), node("c", true)], null],
    ["although it is down itself", [node("a", false), node("b", true), node("c", true)], null],
    [
      "not while another is down",
      [node("a", true), node("b", false), node("c", true), node("d", true, false)],
      "without it 1 of 3 servers are ready, and etcd needs 2 (not ready: b)",
    ],
    [
      "not of two",
      [node("a", true), node("b", true)],
      "without it 1 of 2 servers are ready, and etcd needs 2",
    ],
    [
      "of five with one down",
      [node("a", true), node("b", false), ...["c", "d", "e"].map((n) => node(n, true))],
      null,
    ],
    ["not when nobody answers", [], "without it 0 of 1 servers are ready, and etcd needs 1"],
  ])("%s", (_, nodes, problem) => expect(quorumProblem(nodes, "a")).toBe(problem));
});
