/** Backup, proof, restore on this machine's own tar and sha256sum; over SSH: test/container/convert.test.ts. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { archiveTexts, inspectArchive, openArchive } from "../../src/convert/backup/archive.ts";
import { checkDatastore } from "../../src/convert/backup/datastore.ts";
import { type ArchiveKey, archiveKey } from "../../src/convert/backup/keys.ts";
import { compareManifests, manifestFromJson } from "../../src/convert/backup/manifest.ts";
import { expectedManifest, restore } from "../../src/convert/backup/restore.ts";
import {
  assertBackup,
  changesSince,
  freeArchiveName,
  readManifest,
  takeBackup,
} from "../../src/convert/backup/take.ts";
import { createLocalTransport } from "../../src/transport/local.ts";
import type { Session } from "../../src/transport/transport.ts";
import { targetFor } from "../support/target.ts";
import { buildNodeTree, type NodeTree } from "./node-tree.ts";

const signal = new AbortController().signal;
let dir: string;
let root: string;
let tree: NodeTree;
let key: ArchiveKey;
let session: Session;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "mf-backup-"));
  root = join(dir, "node");
  mkdirSync(root);
  tree = buildNodeTree(root);
  key = await archiveKey(join(dir, "keys"));
  const transport = createLocalTransport({ env: { PATH: process.env.PATH ?? "", HOME: dir } });
  session = await transport.open(targetFor({}), { signal });
});
afterEach(async () => {
  await session[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const take = (on: Session = session) =>
  takeBackup(on, { host: "edge-1", path: join(dir, "archives/edge-1"), key, signal, base: root });

describe("a backup", () => {
  test("has every file with owner, mode and content, proved on both ends, and no secret in the clear", async () => {
    const backup = await take();
    const there = await readManifest(session, { base: root, paths: ["/"] }, signal);
    for (const [path, entry] of backup.manifest) expect(there.get(path), path).toEqual(entry);
    for (const path of [
      "etc/ssh/ssh_host_ecdsa_key",
      "var/lib/rancher/k3s/storage/pvc-1_default_data/naïve\nname",
      "var/lib/maculaos/backups/old.tar.gz",
    ]) {
      expect(backup.manifest.has(path), path).toBe(true);
    }
    for (const path of ["etc/ssh/sshd_config", "var/lib/rancher/k3s/agent/containerd/big"])
      expect(backup.manifest.has(path), path).toBe(false);
    const stored = readFileSync(backup.file);
    for (const secret of tree.secrets) expect(stored.includes(secret)).toBe(false);
    expect(manifestFromJson(readFileSync(join(dir, "archives/edge-1.manifest.json"), "utf8"))).toEqual(
      backup.manifest,
    );
    expect(execFileSync("stat", ["-c", "%a", backup.file], { encoding: "utf8" }).trim()).toBe("600");
    await assertBackup(backup, key, "edge-1", signal);
  });

  test("is refused when a file changes between listing and copying", async () => {
    const writing: Session = {
      ...session,
      hostKeyFingerprint: "",
      run: async (command, options) => {
        if (command.label === "archive") appendFileSync(join(root, "home/macula/notes.txt"), "more\n");
        return session.run(command, options);
      },
    };
    await expect(take(writing)).rejects.toThrow(/home\/macula\/notes\.txt size is/);
    expect(existsSync(join(dir, "archives/edge-1.tar.age"))).toBe(false);
  });

  test("is refused when a file changes after it was copied: that is in no archive", async () => {
    for (const change of [
      () => appendFileSync(join(root, "home/macula/notes.txt"), "more\n"),
      () => writeFileSync(join(root, "home/macula/new.txt"), "new\n"),
    ]) {
      const writing: Session = {
        ...session,
        hostKeyFingerprint: "",
        run: async (command, options) => {
          const result = await session.run(command, options);
          if (command.label === "archive") change();
          return result;
        },
      };
      await expect(take(writing)).rejects.toThrow(
        /home\/macula\/(notes\.txt size is|new\.txt was not there)/,
      );
      expect(existsSync(join(dir, "archives/edge-1.tar.age"))).toBe(false);
    }
  });

  test("is compared with the node again later", async () => {
    const backup = await take();
    expect(await changesSince(backup, session, signal, root)).toEqual([]);
    rmSync(join(root, "home/macula/notes.txt"));
    expect(await changesSince(backup, session, signal, root)).toEqual([
      { path: "home/macula/notes.txt", what: "is missing" },
    ]);
  });

  test("never takes the place of another one", async () => {
    const archives = join(dir, "archives");
    const name = () => freeArchiveName(archives, "edge", "1");
    expect(await name()).toBe(join(archives, "edge-1"));
    await take();
    expect(await name()).toBe(join(archives, "edge-1-2"));
  });

  test("is refused when the stream was changed on the way", async () => {
    const tampering: Session = {
      ...session,
      hostKeyFingerprint: "",
      run: (command, options) => {
        const take = options.onStdout;
        let first = true;
        if (!take) return session.run(command, options);
        return session.run(command, {
          ...options,
          onStdout: (chunk) => {
            const copy = Uint8Array.from(chunk);
            if (first) copy[600] = (copy[600] ?? 0) ^ 1;
            first = false;
            return take(copy);
          },
        });
      },
    };
    await expect(take(tampering)).rejects.toMatchObject({ code: "copy-failed" });
    expect(existsSync(join(dir, "archives/edge-1.tar.age.part"))).toBe(false);
  });

  test("that was damaged or cut later is not believed", async () => {
    const backup = await take();
    const bytes = readFileSync(backup.file);
    for (const damage of [
      () => truncateSync(backup.file, bytes.length - 70_000),
      () =>
        writeFileSync(
          backup.file,
          bytes.map((b, i) => (i === bytes.length >> 1 ? b ^ 1 : b)),
        ),
    ]) {
      damage();
      await expect(assertBackup(backup, key, "edge-1", signal)).rejects.toMatchObject({
        code: "copy-failed",
      });
    }
  });

  test("cannot be read with another key", async () => {
    const backup = await take();
    const other = await archiveKey(join(dir, "other"));
    await expect(inspectArchive(backup.file, other, signal)).rejects.toThrow(/is not its key/);
  });

  test("says that the disk is full", async () => {
    const writer = await openArchive("/dev/full", key);
    const chunk = new Uint8Array(1 << 20);
    const fill = async () => {
      for (let i = 0; i < 8; i++) await writer.write(chunk);
      await writer.finish();
    };
    await expect(fill()).rejects.toThrow(/the disk with \/dev\/full is full/);
    await writer.abandon();
  });

  test("gives texts of single files", async () => {
    const backup = await take();
    const texts = await archiveTexts(backup.file, key, (p) => p.endsWith("identity.json"));
    expect([...texts.values()][0]).toContain(tree.did);
  });
});

describe("the datastore in an archive", () => {
  test("is opened and counted", async () => {
    const backup = await take();
    expect(await checkDatastore(backup.file, key, dir)).toEqual({
      ok: true,
      detail: "integrity ok, 200 rows, last id 200",
    });
    expect(readdirSync(dir).filter((f) => f.startsWith("datastore-"))).toEqual([]);
  });
  test("that is damaged is found", async () => {
    writeFileSync(join(root, "var/lib/rancher/k3s/server/db/state.db"), "SQLite format 3\0 and nothing more");
    expect(await checkDatastore((await take()).file, key, dir)).toMatchObject({ ok: false });
  });
});

describe("restoring", () => {
  test("puts what is kept where it belongs, and nothing else", async () => {
    const backup = await take();
    const to = join(dir, "new");
    mkdirSync(to);
    await restore(session, {
      file: backup.file,
      key,
      manifest: backup.manifest,
      datastore: false,
      root: to,
      signal,
    });
    const expected = expectedManifest(backup.manifest, { datastore: false });
    const found = await readManifest(session, { base: to, paths: ["/*"] }, signal);
    expect(compareManifests(expected, found, { exact: false })).toEqual([]);
    expect(found.has("var/lib/maculaos/.configured")).toBe(true);
    const volume = (path: string) => path.startsWith("var/lib/rancher/k3s/storage/");
    const both = [backup.manifest, found].map((m) => [...m.keys()].filter(volume).sort());
    expect(both[1]).toEqual(both[0]);
    for (const path of [
      "var/lib/rancher/k3s/server/db/state.db",
      "var/lib/rancher/k3s/server/manifests/system-upgrade-plans.yaml",
      "home/macula/.ssh/authorized_keys",
      "var/lib/maculaos/config.yaml",
    ]) {
      expect(found.has(path), path).toBe(false);
    }
    expect(found.has("var/lib/rancher/k3s/server/manifests/mine.yaml")).toBe(true);
  });

  test("with the datastore brings the cluster as well", async () => {
    const backup = await take();
    const expected = expectedManifest(backup.manifest, { datastore: true });
    expect([...expected.keys()]).toEqual(
      expect.arrayContaining([
        "var/lib/rancher/k3s/server/db/state.db",
        "var/lib/rancher/k3s/server/token",
        "var/lib/rancher/k3s/server/tls/server-ca.crt",
      ]),
    );
  });
});

test("two manifests differ in every field a file has", () => {
  const entry = { path: "a", type: "file", mode: "0644", uid: 0, gid: 0, size: 1, sha256: "x" } as const;
  const one = new Map([["a", entry]]);
  for (const change of [
    { mode: "0600" },
    { uid: 1 },
    { gid: 1 },
    { size: 2 },
    { sha256: "y" },
    { type: "symlink" as const },
  ]) {
    expect(compareManifests(one, new Map([["a", { ...entry, ...change }]]), { exact: true })).toHaveLength(1);
  }
  expect(compareManifests(one, new Map(), { exact: false })).toEqual([{ path: "a", what: "is missing" }]);
  expect(compareManifests(new Map(), one, { exact: true })).toEqual([{ path: "a", what: "was not there" }]);
  expect(compareManifests(new Map(), one, { exact: false })).toEqual([]);
});
