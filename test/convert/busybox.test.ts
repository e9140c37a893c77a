/** What is sent to a k3OS node, where BusyBox is all there is: nothing of GNU, no systemd, no k3OS tool. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ArchiveKey, archiveKey } from "../../src/convert/backup/keys.ts";
import { compareManifests } from "../../src/convert/backup/manifest.ts";
import { archiveCommand, listCommand } from "../../src/convert/backup/remote.ts";
import { expectedManifest, restore } from "../../src/convert/backup/restore.ts";
import { assertBackup, readManifest, takeBackup } from "../../src/convert/backup/take.ts";
import { cluster } from "../../src/convert/k3s/kubectl.ts";
import { archivedPaths } from "../../src/convert/keep.ts";
import { startServices, stopServices } from "../../src/convert/service.ts";
import { survey, surveyCommand } from "../../src/convert/survey.ts";
import { hostCommands } from "../../src/host/commands.ts";
import { HostFacts } from "../../src/host/protocol.ts";
import { importNode } from "../../src/import/import-node.ts";
import { readCommand, readHost } from "../../src/import/read/host.ts";
import type { Command } from "../../src/kernel/shell.ts";
import { createLocalTransport } from "../../src/transport/local.ts";
import type { Session } from "../../src/transport/transport.ts";
import { targetFor } from "../support/target.ts";
import { busyboxSession, noBusybox } from "./busybox.ts";
import { buildNodeTree, type NodeTree } from "./node-tree.ts";

const signal = new AbortController().signal;
const where = { base: "/", paths: archivedPaths() };
const SENT: Readonly<Record<string, Command>> = {
  survey: surveyCommand(),
  import: readCommand(),
  list: listCommand(where),
  archive: archiveCommand(where),
  stop: stopServices,
  start: startServices,
  nodes: cluster.nodes(),
  snapshot: cluster.snapshot("before"),
  facts: hostCommands.facts("sudo"),
};

describe("every script for a k3OS node", () => {
  for (const [shell, ...args] of [["dash"], ["busybox", "sh"]] as const) {
    if (spawnSync(shell, ["--help"]).error) continue;
    it.each(Object.entries(SENT))(`%s is one for ${shell}`, (_, { line, stdin }) => {
      for (const text of [line, String(stdin ?? "")]) {
        const { status, stderr } = spawnSync(shell, [...args, "-n"], { input: text, encoding: "utf8" });
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      }
    });
  }
});

const problem = noBusybox();
describe.skipIf(problem !== null)(`a node of BusyBox alone ${problem ?? ""}`, () => {
  let dir: string;
  let root: string;
  let tree: NodeTree;
  let node: Session;
  let here: Session;
  let key: ArchiveKey;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "mf-busybox-"));
    root = join(dir, "node");
    mkdirSync(root);
    tree = buildNodeTree(root);
    mkdirSync(join(root, "home/macula/.cache"));
    for (let i = 0; i < 3000; i++)
      writeFileSync(join(root, "home/macula/.cache", `${String(i).padStart(90, "n")}`), String(i));
    writeFileSync(join(root, "etc/os-release"), "ID=maculaos\nID_LIKE=alpine\n");
    node = await busyboxSession(root, join(dir, "tools"));
    here = await createLocalTransport({ env: { PATH: process.env.PATH, HOME: dir } }).open(targetFor({}), {
      signal,
    });
    key = await archiveKey(join(dir, "keys"));
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
    await here?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  it("has nothing else", async () => {
    const line =
      "tar --help 2>&1 | head -n 1; sort --help 2>&1 | head -n 1; command -v bash lsblk git || ls /usr";
    const { stdout, stderr } = await node.run({ line, label: "x" }, { signal });
    expect(stdout).toMatch(/^(BusyBox v.*\n){2}$/);
    expect(stderr).toContain("/usr: No such file");
  });

  it("is surveyed", async () => {
    const seen = await survey(node, signal);
    expect(seen).toMatchObject({
      os: "maculaos",
      root: true,
      tar: "busybox",
      acls: false,
      setsidWait: false,
    });
    expect(seen).toMatchObject({
      role: "server",
      datastore: "sqlite",
      token: true,
      hostKey: true,
      luks: false,
    });
    expect(seen.sizes["/var/lib/rancher/k3s/storage"]).toBeGreaterThan(290);
    expect(seen.homeFree).toBeGreaterThan(0);
  });

  it("tells its facts", async () => {
    const { stdout } = await node.run(hostCommands.facts("root"), { signal });
    const facts = HostFacts.parse(JSON.parse(stdout));
    expect(facts).toMatchObject({ os: { id: "maculaos" }, elevation: "root" });
    expect(facts.tools).toEqual(expect.arrayContaining(["tar", "cpio", "setsid"]));
    expect(facts.hostKeys).toContain(tree.hostKey);
    expect(facts.memory).toBeGreaterThan(100_000);
  });

  it("is imported", async () => {
    const imported = importNode(await readHost(node, signal), { address: "192.0.2.1" });
    expect(JSON.stringify(imported.fragment)).toContain(tree.did);
    expect(JSON.stringify(imported.fragment)).toContain("wireguard");
    for (const secret of tree.secrets) expect(JSON.stringify(imported.fragment)).not.toContain(secret);
  });

  it("gives an archive that has all of it, in portions, and can be put back", async () => {
    const backup = await takeBackup(node, {
      host: "edge-1",
      path: join(dir, "archives/edge-1"),
      key,
      signal,
    });
    const seenByGnu = await readManifest(here, { base: root, paths: archivedPaths() }, signal);
    expect(compareManifests(seenByGnu, backup.manifest, { exact: true })).toEqual([]);
    expect(backup.manifest.has("var/lib/rancher/k3s/storage/pvc-1_default_data/naïve\nname")).toBe(true);
    expect([...backup.manifest.keys()].filter((p) => p.includes("/.cache/"))).toHaveLength(3000);
    await assertBackup(backup, key, "edge-1", signal);
    const to = join(dir, "new");
    mkdirSync(to);
    const { file, manifest } = backup;
    await restore(here, { file, key, manifest, datastore: true, root: to, signal });
    const found = await readManifest(here, { base: to, paths: ["/*"] }, signal);
    expect(
      compareManifests(expectedManifest(manifest, { datastore: true }), found, { exact: false }),
    ).toEqual([]);
  });

  it("is refused an archive while another file system is mounted below what is kept", async () => {
    // Each command has a mount namespace of its own.
    const having = (mount: string): Session => ({
      ...node,
      hostKeyFingerprint: "",
      run: (c, o) =>
        node.run({ ...c, stdin: `mkdir -p "/var/lib/data/a vol" /opt/same; ${mount}\n${c.stdin}` }, o),
    });
    const take = (on: Session) =>
      takeBackup(on, { host: "edge-1", path: join(dir, "archives/mounted"), key, signal });
    const other = having('mount -t tmpfs tmpfs "/var/lib/data/a vol"; mount -t tmpfs tmpfs /run');
    expect((await survey(other, signal)).mounts).toEqual(["/var/lib/data/a vol"]);
    await expect(take(other)).rejects.toThrow(/one is mounted at \/var\/lib\/data\/a vol/);
    const same = having("mount --bind /home/macula /opt/same");
    expect((await survey(same, signal)).mounts).toEqual([]);
    expect((await take(same)).manifest.has("opt/same/notes.txt")).toBe(true);
  });

  it("is refused an archive when tar fails", async () => {
    const lost = archiveCommand({ base: "/", paths: ["/home/macula"] });
    // A file that goes away after it was listed.
    const stdin = String(lost.stdin).replace("pack()", "tamper() { rm -f /home/macula/.cache/*5; }\npack()");
    const { code, stderr } = await node.run(
      { ...lost, stdin: stdin.replace("{ pack;", "tamper\n  { pack;") },
      { signal, onStdout: async () => undefined },
    );
    expect(code).toBe(1);
    expect(stderr).toContain("tar was not content");
  });

  it("has its services stopped and started through OpenRC", async () => {
    mkdirSync(join(root, "etc/init.d"), { recursive: true });
    for (const name of ["k3s-service", "crond"]) writeFileSync(join(root, "etc/init.d", name), "");
    // STAND-IN for OpenRC's rc-service.
    mkdirSync(join(root, "sbin"), { recursive: true });
    writeFileSync(join(root, "sbin/rc-service"), '#!/bin/sh\necho "$2 $1" >> /run/rc; [ "$1" != broken ]\n', {
      mode: 0o755,
    });
    expect((await node.run(stopServices, { signal })).code).toBe(0);
    expect((await node.run(startServices, { signal })).code).toBe(0);
    expect(readFileSync(join(root, "run/rc"), "utf8").trim().split("\n")).toEqual([
      "stop k3s-service",
      "stop crond",
      "start crond",
      "start k3s-service",
    ]);
  });
});
