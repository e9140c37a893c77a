import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openVault } from "../../src/install/identity.ts";
import { stageFiles } from "../../src/install/secrets/stage.ts";
import { Secret } from "../../src/kernel/secret.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-vault-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it("keeps one identity per host, encrypted, also for the next process", async () => {
  const made = await openVault(join(dir, "v")).of("node-01");
  const again = await openVault(join(dir, "v")).of("node-01");
  expect(again.publicKey).toBe(made.publicKey);
  expect(again.privateKey.reveal()).toBe(made.privateKey.reveal());
  expect((await openVault(join(dir, "v")).of("node-02")).publicKey).not.toBe(made.publicKey);
  expect((await stat(join(dir, "v"))).mode & 0o777).toBe(0o700);
  for (const name of await readdir(join(dir, "v"))) {
    expect((await stat(join(dir, "v", name))).mode & 0o777, name).toBe(0o600);
    expect(await readFile(join(dir, "v", name), "latin1")).not.toContain("PRIVATE KEY");
  }
  expect(inspect(made)).not.toContain("PRIVATE KEY");
  expect(JSON.stringify(made)).not.toContain("PRIVATE KEY");
});

it("gives two that ask at the same time the same identity", async () => {
  const asked = await Promise.all([1, 2, 3, 4].map(() => openVault(join(dir, "v")).of("node-01")));
  expect(new Set(asked.map((i) => i.publicKey)).size).toBe(1);
});

it("says null for a host it does not know, and makes nothing", async () => {
  expect(await openVault(join(dir, "v")).kept("node-01")).toBeNull();
  await expect(readdir(join(dir, "v"))).rejects.toThrow("ENOENT");
});

it("refuses with a hint when the key does not fit or the file is damaged", async () => {
  await openVault(join(dir, "v")).of("node-01");
  await openVault(join(dir, "w")).of("node-01");
  await writeFile(join(dir, "v", "age.key"), await readFile(join(dir, "w", "age.key")));
  await expect(openVault(join(dir, "v")).of("node-01")).rejects.toMatchObject({ code: "secret-unavailable" });
  await writeFile(join(dir, "w", "node-01.age"), "damaged");
  await expect(openVault(join(dir, "w")).of("node-01")).rejects.toMatchObject({
    code: "secret-unavailable",
    hint: expect.stringContaining("backup"),
  });
});

it("stages keys and secrets with the modes the machine is to have, whatever the umask", async () => {
  const identity = await openVault(join(dir, "v")).of("node-01");
  const before = process.umask(0o077);
  try {
    const secrets = [
      {
        path: "/var/lib/macula-fleet/secrets/k3s-token",
        mode: 0o400,
        content: new Secret("T"),
        installOnly: false,
      },
      { path: "/tmp/disk.key", mode: 0o400, content: new Secret("D"), installOnly: true },
    ];
    await using staged = await stageFiles(join(dir, "s"), identity, secrets);
    const mode = async (path: string) =>
      ((await stat(join(staged.extraFiles, path))).mode & 0o777).toString(8);
    expect(await mode("/var/lib/macula-fleet/secrets/k3s-token")).toBe("400");
    expect(await mode("/var/lib/macula-fleet/secrets")).toBe("711");
    expect(await mode("/etc")).toBe("755");
    expect(await mode("/etc/ssh/ssh_host_ed25519_key")).toBe("600");
    expect(await mode("/etc/ssh/ssh_host_ed25519_key.pub")).toBe("644");
    // The passphrase of a disk goes to the installer's memory and nowhere else.
    await expect(stat(join(staged.extraFiles, "/tmp/disk.key"))).rejects.toThrow("ENOENT");
    expect(await readFile(staged.installerFiles.get("/tmp/disk.key") ?? "", "utf8")).toBe("D");
    expect((await stat(join(dir, "s"))).mode & 0o777).toBe(0o700);
  } finally {
    process.umask(before);
  }
  await expect(stat(join(dir, "s"))).rejects.toThrow("ENOENT");
});

it("stages nothing outside of its directory", async () => {
  const identity = await openVault(join(dir, "v")).of("node-01");
  const secrets = [{ path: "/../../escaped", mode: 0o400, content: new Secret("x"), installOnly: false }];
  await expect(stageFiles(join(dir, "s"), identity, secrets)).rejects.toThrow("not below");
});
