/** The same node read from a live shell, a directory, a tarball: the same inventory. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { aliasesOf, CLOUD_CONFIG } from "../../src/import/config/aliases.ts";
import { normalise } from "../../src/import/config/normalise.ts";
import { importNode } from "../../src/import/import-node.ts";
import { nodeFiles, runningPath } from "../../src/import/node-files.ts";
import { readCommand, readHost } from "../../src/import/read/host.ts";
import { readLocal } from "../../src/import/read/local.ts";
import type { Session } from "../../src/transport/transport.ts";

let dir: string;
const TREE = {
  "macula/data/var/lib/maculaos/config.yaml":
    "hostname: edge-1\nmaculaos: {modules: [wireguard], wifi: [{name: shed, passphrase: s3same-s3same}]}\n",
  "macula/data/var/lib/maculaos/identity.json": '{"public_key":"p","private_key":"k","did":"did:macula:X"}',
  "macula/data/var/lib/maculaos/git/repo/config": "not configuration",
  "macula/system/config.yaml": "maculaos: {sysctls: {vm.swappiness: 1}}\n",
};
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "mf-import-"));
  for (const [path, text] of Object.entries(TREE)) {
    mkdirSync(dirname(join(dir, "root", path)), { recursive: true });
    writeFileSync(join(dir, "root", path), text);
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("a directory, a tarball and a gzipped one say the same", async () => {
  execFileSync("tar", ["-C", join(dir, "root"), "-cf", join(dir, "n.tar"), "."]);
  execFileSync("tar", ["-C", join(dir, "root"), "-czf", join(dir, "n.tgz"), "."]);
  const all = await Promise.all(
    ["root", "n.tar", "n.tgz"].map(async (f) => importNode(await readLocal(join(dir, f)))),
  );
  const [first] = all.map((i) => i.fragment);
  expect(first?.hosts["edge-1"]).toMatchObject({
    kernel: { modules: ["wireguard"] },
    identity: { did: "did:macula:X" },
  });
  for (const { fragment } of all) expect(fragment).toEqual(first);
});

test("what is no node is said", async () => {
  await expect(readLocal(join(dir, "nothing"))).rejects.toMatchObject({ code: "usage" });
  mkdirSync(join(dir, "empty"), { recursive: true });
  await expect(readLocal(join(dir, "empty"))).rejects.toThrow(/nothing of a k3OS node/);
});

const shell: Session = {
  hostKeyFingerprint: "",
  async run(command, options) {
    const stdout = execFileSync(
      "sh",
      ["-c", command.line.replaceAll("sudo -n true", "false").replaceAll("doas -n true", "false")],
      {
        input: String(command.stdin),
        encoding: "utf8",
        maxBuffer: 1 << 26,
      },
    );
    for (const line of stdout.split("\n")) options.onLine?.(line, "stdout");
    return { code: 0, stdout, stderr: "" };
  },
  async [Symbol.asyncDispose]() {},
};

test("the script tells this machine's own name, processor and disks, and no secret is in its command line", async () => {
  const files = await readHost(shell, new AbortController().signal);
  expect(files.text("/run/macula-fleet-import/arch")?.trim()).toBe(
    execFileSync("uname", ["-m"], { encoding: "utf8" }).trim(),
  );
  expect(files.text("/proc/cmdline")).toBeDefined();
  expect(readCommand().line).not.toContain("var/lib");
});

test("an answer cut short is no node", async () => {
  const cut: Session = { ...shell, run: async () => ({ code: 255, stdout: "", stderr: "lost" }) };
  await expect(readHost(cut, new AbortController().signal)).rejects.toMatchObject({ code: "host-protocol" });
});

test("every spelling of a field ends at one name, and names are their own spelling", () => {
  const names = aliasesOf(CLOUD_CONFIG);
  for (const [spelling, name] of names) expect(names.get(name), spelling).toBe(name);
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.string(), ([spelling, name], text) => {
      const odd: never[] = [];
      const value = ["hostname"].includes(name) ? text : [text];
      if (!["hostname", "sshAuthorizedKeys", "runCmd", "bootCmd", "initCmd"].includes(name)) return;
      expect(normalise(CLOUD_CONFIG, { [spelling]: value }, "", odd)).toEqual({ [name]: value });
    }),
  );
});

test("any text anywhere is reported, never thrown", () => {
  const path = fc.constantFrom(
    "/macula/system/config.yaml",
    "/var/lib/maculaos/config.yaml",
    "/var/lib/maculaos/mesh.yaml",
    "/var/lib/maculaos/identity.json",
    "/proc/cmdline",
    "/run/config/userdata",
    "/run/macula-fleet-import/disks.json",
    "/var/lib/connman/ethernet_1_cable/settings",
  );
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom(
      "maculaos: 3",
      "maculaos: {wifi: 3, labels: [1], install: x}",
      "- a",
      "a: &x [*x]",
      "network: 7",
      "roles: no",
    ),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(path, text)), (files) => {
      const imported = importNode(nodeFiles(files));
      expect(Object.keys(imported.fragment.hosts)).toHaveLength(1);
    }),
    { numRuns: 300 },
  );
});

test("paths of a copied root and of an unmounted disk become those of the running node", () => {
  expect(
    ["./etc/x", "macula/data/var/lib/x", "/k3os/data/var/lib/rancher/k3os/y", "k3os/system/config.yaml"].map(
      runningPath,
    ),
  ).toEqual(["/etc/x", "/var/lib/x", "/var/lib/maculaos/y", "/macula/system/config.yaml"]);
});
