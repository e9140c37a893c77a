/** The last steps before a node's disk is erased: in which order they are taken, and what is true when one fails. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inspectArchive, openArchive } from "../../src/convert/backup/archive.ts";
import { type ArchiveKey, archiveKey } from "../../src/convert/backup/keys.ts";
import { manifestJson } from "../../src/convert/backup/manifest.ts";
import type { ConvertDeps } from "../../src/convert/deps.ts";
import { driveConvert, statesOf } from "../../src/convert/engine.ts";
import type { NodeRecord } from "../../src/convert/k3s/kubectl.ts";
import { undo } from "../../src/convert/prepare.ts";
import { reachedBy, recoveryFrom } from "../../src/convert/recovery.ts";
import { FleetError } from "../../src/errors.ts";
import type { HostFacts } from "../../src/host/protocol.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { writeTar } from "../../src/tar/write.ts";
import type { Session } from "../../src/transport/transport.ts";
import { aDisk, INSTALLER, someFacts } from "../install/support.ts";
import { aHost } from "../support/fleet.ts";
import { targetFor } from "../support/target.ts";
import { aConversion, aK3osHost, aNode, asJson, SURVEY } from "./support.ts";

const host = aK3osHost({ k3s: { ...aK3osHost().k3s, cluster: "home", role: "server" } });
const SERVER = aHost("riga-peer-01");
const NODES = ["riga-peer-01", host.name, "riga-peer-03"].map((name) => aNode(name));
const signals = { drain: new AbortController().signal, abort: new AbortController().signal };

let dir: string;
let key: ArchiveKey;
let store: MemoryStore;
let archive: string;
/** What was asked of the cluster and of nixos-anywhere, in order. */
const calls = () => readFileSync(join(dir, "calls"), "utf8").trim().split("\n").filter(Boolean);

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "mf-erasing-"));
  writeFileSync(join(dir, "calls"), "");
  writeFileSync(join(dir, "disko"), "mkfs.ext4 /dev/disk/by-id/ata-CT500_S1-part1\n");
  // Stands in for nixos-anywhere: says which phase it was started for, and fails.
  writeFileSync(join(dir, "anywhere"), `#!/bin/sh\necho "anywhere $2" >> ${dir}/calls\nexit 1\n`, {
    mode: 0o755,
  });
  key = await archiveKey(join(dir, "keys"));
  store = new MemoryStore();
  archive = join(dir, "node.tar.age");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const plan = aConversion({
  host,
  survey: { ...SURVEY, role: "server", datastore: "etcd", version: "1.35.2" },
  nodes: NODES,
  server: SERVER.name,
});

const listOf = (file: string) => file.replace(".tar.age", ".manifest.json");

/** The node's host key, and nothing else. */
async function anArchive() {
  const files = new Map([
    ["etc/ssh/ssh_host_ed25519_key", "PRIVATE"],
    ["etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAOLD node"],
  ]);
  const tar = writeTar(
    (async function* () {
      for (const [path, text] of files)
        yield {
          ...{
            path,
            type: "file" as const,
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime: 0,
            link: "",
            extra: new Map(),
          },
          size: text.length,
          body: (async function* () {
            yield new TextEncoder().encode(text);
          })(),
        };
    })(),
  );
  const writer = await openArchive(archive, key);
  for await (const chunk of tar) await writer.write(chunk);
  const made = await writer.finish();
  const { manifest } = await inspectArchive(archive, key, signals.abort);
  writeFileSync(listOf(archive), manifestJson(manifest));
  return { archive, ...made };
}

interface World {
  readonly installer?: Partial<HostFacts>;
  readonly secrets?: ConvertDeps["install"]["secretsFor"];
  readonly cluster?: readonly NodeRecord[];
}

const depsOf = ({ installer = {}, secrets = async () => [], cluster = NODES }: World): ConvertDeps => ({
  install: {
    store,
    clock: systemClock,
    owner: "ann@here:1",
    driver: {
      facts: async () => someFacts({ os: INSTALLER, ...installer }),
      observe: () => Promise.reject(new FleetError("unreachable", "it does not answer")),
    } as unknown as ConvertDeps["install"]["driver"],
    hosts: new Map([host, SERVER].map((h) => [h.name, h])),
    checks: () => [],
    targetOf: () => targetFor({ hostKeys: ["ssh-ed25519 AAAAOLD"] }),
    secretsFor: secrets,
    pin: async () => {},
    program: [join(dir, "anywhere")],
    pathVariable: process.env.PATH,
    hints: async () => [],
    workDir: join(dir, "work"),
    logDir: join(dir, "logs"),
    parallel: 1,
  },
  connect: async (h) => {
    if (h.name === host.name) throw new FleetError("unreachable", "an installer, which knows no such user");
    return {
      hostKeyFingerprint: "",
      run: async ({ label }) => {
        appendFileSync(join(dir, "calls"), `${label}\n`);
        return { code: 0, stdout: label === "kubectl get nodes" ? asJson(cluster) : "", stderr: "" };
      },
      [Symbol.asyncDispose]: async () => {},
    } satisfies Session;
  },
  key,
  archiveDir: dir,
  reimport: () => "",
  newRoot: "/",
  drainSeconds: 1,
});

/** Goes on with a conversion whose installer has been started; how it ended, and what may be typed then. */
async function goOn(world: World, break_: () => unknown = () => {}) {
  const target = { ...plan.targets[host.name], disko: join(dir, "disko") };
  const detail = await anArchive();
  const from = "pending" as const;
  await store.create({
    ...{ id: plan.id, kind: "install" as const, revision: "r1", state: "planned" as const, operator: "ann" },
    createdAt: 0,
    hosts: 1,
  });
  const about = { level: "info" as const, msg: "", host: host.name };
  await store.append(
    plan.id,
    0,
    [
      { type: "plan", level: "info", msg: "", data: { plan: { ...plan, targets: { [host.name]: target } } } },
      { type: "host.state", ...about, data: { from, to: "saving", detail } },
      { type: "host.state", ...about, data: { from, to: "kexec" } },
    ],
    { now: 0 },
  );
  await break_();
  const deps = depsOf(world);
  for await (const _ of driveConvert(plan.id, deps, signals));
  const events = await store.events(plan.id);
  const states = statesOf(events, host.name);
  const failed = events.findLast((e) => e.type === "host.state" && e.data.to === "failed");
  return { states, message: failed?.msg ?? "", deps, ...recoveryFrom(reachedBy(states), host.name, archive) };
}

it("leaves the cluster when everything else is right, then erases", async () => {
  const { states, says, canUndo } = await goOn({});
  expect(calls()).toEqual(["kubectl get nodes", "kubectl delete node", "anywhere disko"]);
  expect(states.slice(-3)).toEqual(["leaving", "partitioning", "failed"]);
  expect(canUndo).toBe(false);
  expect(says).toContain("k3OS is erased");
});

describe("stays a member of its cluster, on an untouched disk, when", () => {
  const noSecret = () => Promise.reject(new FleetError("secret-unavailable", "TOKEN is not set"));
  it.each<[string, World, () => void, RegExp]>([
    [
      "its disk is another one",
      { installer: { disks: [aDisk({ serial: "S9" })] } },
      () => {},
      /is not there in the installer/,
    ],
    [
      "it has restarted",
      { installer: { os: { id: "maculaos", version: "", variant: "" } } },
      () => {},
      /runs k3OS again/,
    ],
    [
      "the script formats another disk",
      {},
      () => writeFileSync(join(dir, "disko"), "mkfs.ext4 /dev/sdz\n"),
      /formats \/dev\/sdz/,
    ],
    ["a secret cannot be had", { secrets: noSecret }, () => {}, /TOKEN is not set/],
    [
      "its archive is not what was copied",
      {},
      () => writeFileSync(listOf(archive), manifestJson(new Map())),
      /ssh_host_ed25519_key was not there/,
    ],
    [
      "another server is down",
      { cluster: NODES.map((n, i) => (i === 0 ? { ...n, ready: false } : n)) },
      () => {},
      /may not leave its cluster now/,
    ],
  ])("%s", async (_, world, break_, message) => {
    const ended = await goOn(world, break_);
    expect(ended.message).toMatch(message);
    expect(calls().filter((c) => c !== "kubectl get nodes")).toEqual([]);
    expect(ended.states).not.toContain("partitioning");
    expect(ended.canUndo).toBe(true);
    expect(ended.says).toContain("its disk is untouched");
  });
});

it("stays a member, on an untouched disk, when it is aborted while everything is looked at", async () => {
  const abortedMeanwhile = async () => {
    await store.submit(plan.id, { command: "abort", by: "bob" });
    // In the journal, so obeyed.
    await expect.poll(() => store.pending(plan.id)).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve));
    return [];
  };
  const { states, message } = await goOn({ secrets: abortedMeanwhile });
  expect(message).toMatch(/aborted by bob, before disko: its disk is untouched/);
  expect(calls()).not.toContain("kubectl delete node");
  expect(states).not.toContain("leaving");
  expect(states).not.toContain("partitioning");
});

it("is not gone on with once it was taken back: k3OS serves again, and writes", async () => {
  const aborted = {
    type: "rollout.state",
    level: "info",
    msg: "",
    data: { from: "failed", to: "aborted" },
  } as const;
  const takenBack = () => store.append(plan.id, 3, [aborted], { now: 0 });
  await expect(goOn({}, takenBack)).rejects.toThrow(/was taken back meanwhile: riga-peer-02 serves again/);
  expect(calls()).toEqual([]);
});

it("says that its cluster may have let it go, wherever it got to since; undo asks the cluster", async () => {
  expect(reachedBy(["kexec", "leaving", "failed", "kexec", "failed"])).toBe("leaving");
  expect(reachedBy(["leaving", "partitioning", "failed"])).toBe("partitioning");
  expect(recoveryFrom("leaving", host.name, null)).toMatchObject({ canUndo: true, canContinue: true });
  const ran: string[] = [];
  const survey = "os maculaos\nEND\n";
  const deps = (cluster: readonly NodeRecord[]): ConvertDeps => ({
    ...depsOf({}),
    connect: async () => ({
      hostKeyFingerprint: "",
      run: async ({ label }) => {
        ran.push(label);
        const stdout = label === "survey" ? survey : label === "kubectl get nodes" ? asJson(cluster) : "";
        return { code: 0, stdout, stderr: "" };
      },
      [Symbol.asyncDispose]: async () => {},
    }),
  });
  const gone = NODES.filter((n) => n.name !== host.name);
  await expect(undo(plan, host, deps(gone), signals.abort)).rejects.toThrow(/has forgotten riga-peer-02/);
  expect(ran).toEqual(["survey", "kubectl get nodes"]);
  ran.length = 0;
  await undo(plan, host, deps(NODES), signals.abort);
  expect(ran).toEqual(["survey", "kubectl get nodes", "start services", "kubectl uncordon"]);
});
