import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findProgram } from "../../src/install/anywhere/find-program.ts";
import { writeShim } from "../../src/install/anywhere/shim-files.ts";
import { routeFiles, routeName } from "../../src/install/anywhere/ssh-shim.ts";
import { newKeyPair } from "../../src/transport/key-pair.ts";
import type { Target } from "../../src/transport/transport.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-shim-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const target = (more: Partial<Target> = {}): Target => ({
  name: "node-01",
  address: "10.0.0.3",
  port: 22,
  user: "root",
  hostKeys: [],
  via: [],
  hostKeyPolicy: "strict",
  connectTimeoutMs: 5000,
  ...more,
});
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB comment";

/** What nixos-anywhere itself says to ssh. */
const ITS_WORDS = [
  "-o",
  "IdentitiesOnly=yes",
  "-o",
  "UserKnownHostsFile=/dev/null",
  "-o",
  "StrictHostKeyChecking=no",
];
const settings = async (words: readonly string[]) => {
  const { stdout } = await execa(join(dir, "ssh", "bin", "ssh"), [
    ...words,
    "-G",
    `root@${routeName("node-01")}`,
  ]);
  return new Map(stdout.split("\n").map((l) => [l.split(" ")[0] ?? "", l.slice(l.indexOf(" ") + 1)]));
};

describe.skipIf(findProgram("ssh", process.env.PATH) === null)("the ssh in front", () => {
  it("checks host keys against the pinned ones, whatever nixos-anywhere says", async () => {
    const shim = await writeShim(join(dir, "ssh"), { target: target(), hostKeys: [KEY] }, process.env.PATH);
    expect(findProgram("ssh", shim.path)).toBe(join(dir, "ssh", "bin", "ssh"));
    const said = await settings([...ITS_WORDS, "-p", "2222"]);
    expect(said.get("stricthostkeychecking")).toMatch(/^(true|yes)$/);
    expect(said.get("userknownhostsfile")).toBe(join(dir, "ssh", "known_hosts"));
    expect(said.get("globalknownhostsfile")).toBe("/dev/null");
    expect(said.get("hostname")).toBe("10.0.0.3");
    expect(said.get("hostkeyalias")).toBe("node-01.macula-fleet.invalid");
    expect(said.get("port")).toBe("2222");
    expect(said.get("batchmode")).toBe("yes");
    const known = await readFile(join(dir, "ssh", "known_hosts"), "utf8");
    expect(known).toBe("node-01.macula-fleet.invalid ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB\n");
    expect((await stat(join(dir, "ssh"))).mode & 0o777).toBe(0o700);
  });

  it("asks the operator's known_hosts where no key is pinned", async () => {
    const knownHostsFile = join(dir, "mine");
    await writeShim(
      join(dir, "ssh"),
      { target: target({ knownHostsFile, port: 2222 }), hostKeys: [] },
      process.env.PATH,
    );
    const said = await settings(ITS_WORDS);
    expect(said.get("userknownhostsfile")).toBe(knownHostsFile);
    expect(said.get("hostkeyalias")).toBe("[10.0.0.3]:2222");
  });

  it("goes through every bastion, each with its own key", async () => {
    const via = [
      { address: "jump.example", port: 2200, user: "ops", hostKeys: [KEY], identityFile: "/k/jump" },
      { address: "10.0.0.3", port: 22, user: "inner", hostKeys: [] },
    ];
    await writeShim(join(dir, "ssh"), { target: target({ via }), hostKeys: [KEY] }, process.env.PATH);
    expect((await settings(ITS_WORDS)).get("proxyjump")).toBe("hop-2.node-01.macula-fleet.invalid");
    const { config } = routeFiles({ target: target({ via }), hostKeys: [KEY] }, "/k/known");
    const outer = config.split("Host ").find((b) => b.startsWith("hop-1."));
    expect(outer).toContain("HostName jump.example\n  Port 2200\n  User ops");
    expect(outer).toContain('UserKnownHostsFile "/k/known"');
    expect(outer).toContain("StrictHostKeyChecking yes");
    expect(outer).not.toContain("ProxyJump");
    expect(config.split("Host ").find((b) => b.startsWith("hop-2."))).toContain("ProxyJump hop-1.node-01");
  });
});

describe("the key", () => {
  const keyFor = async (identityFile?: string) =>
    (
      await writeShim(
        join(dir, "ssh"),
        { target: target(identityFile === undefined ? {} : { identityFile }), hostKeys: [] },
        process.env.PATH,
      )
    ).identityFile;

  it("is the operator's when anybody can read it", async () => {
    await writeFile(join(dir, "mine"), newKeyPair("me").private);
    expect(await keyFor(join(dir, "mine"))).toBe(join(dir, "mine"));
  });

  it("is one of the run's own when the operator's has a passphrase or lies in an agent", async () => {
    await writeFile(join(dir, "mine"), "-----BEGIN OPENSSH PRIVATE KEY-----\nbroken or encrypted\n");
    expect(await keyFor(join(dir, "mine"))).toBe(join(dir, "ssh", "id_run"));
    expect(await keyFor()).toBe(join(dir, "ssh", "id_run"));
    expect((await stat(join(dir, "ssh", "id_run"))).mode & 0o777).toBe(0o600);
  });

  it("needs an ssh on this machine", async () => {
    await expect(writeShim(join(dir, "ssh"), { target: target(), hostKeys: [] }, dir)).rejects.toMatchObject({
      code: "tool-missing",
    });
  });
});
