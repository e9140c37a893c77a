/** The stand-in for nixos-anywhere behaves, towards whoever runs it, as the real program does. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { labDiskoScript, labFault } from "../../src/lab/index.ts";
import { newKeyPair } from "../../src/lab/keys.ts";
import { networkUp } from "../../src/lab/machine/power.ts";
import { labInProcess, type TestLab, waitFor } from "./support/lab.ts";

const signal = new AbortController().signal;
let test: TestLab;
afterEach(() => test[Symbol.asyncDispose]());

const machine = () => {
  const host = test.lab.fleet.hosts.get("node-01");
  if (!host) throw new Error("no host");
  return host.machine();
};
async function anywhere(args: readonly string[], o: { readonly timeout?: number } = {}) {
  const port = test.lab.running.hosts[0]?.port ?? 0;
  const fixed = ["-p", String(port), "-i", join(test.dir, "id_ed25519")];
  const result = await execa(join(test.dir, "bin", "nixos-anywhere"), [...fixed, ...args, "root@127.0.0.1"], {
    reject: false,
    stdin: "ignore",
    timeout: o.timeout ?? 30_000,
  });
  const steps = [...result.stdout.matchAll(/^### (.*) ###$/gm)].map((m) => m[1]);
  return { exitCode: result.exitCode, timedOut: result.timedOut, stderr: result.stderr, steps };
}
async function storePaths(): Promise<string[]> {
  const built = await test.closures.build([test.host("node-01")], "r1", { signal });
  return ["--store-paths", labDiskoScript("node-01", "r1"), built.get("node-01")?.toplevel ?? ""];
}
const up = () => waitFor("the host", async () => networkUp(machine()));
const ALWAYS = ["Uploading install SSH keys", "Gathering machine facts"];

describe("nixos-anywhere in a blank lab", () => {
  beforeEach(async () => {
    test = await labInProcess({ hosts: 1, blank: true });
  });

  it("installs phase by phase and delivers the host key", async () => {
    const key = newKeyPair("node-01");
    const extra = join(test.dir, "extra");
    mkdirSync(join(extra, "etc/ssh"), { recursive: true });
    writeFileSync(join(extra, "etc/ssh/ssh_host_ed25519_key"), key.private);
    const common = [...(await storePaths()), "--extra-files", extra];
    const steps = [];
    for (const phase of ["kexec", "disko", "install", "reboot"]) {
      const done = await anywhere([...common, "--phases", phase]);
      expect(done).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("simulated") });
      steps.push(done.steps);
    }
    expect(steps).toEqual([
      [...ALWAYS, "Done!"],
      [...ALWAYS, "Formatting hard drive with disko", "Done!"],
      [...ALWAYS, "Uploading the system closure", "Copying extra files", "Installing NixOS", "Done!"],
      [...ALWAYS, "Rebooting", "Waiting for the machine to become unreachable due to reboot", "Done!"],
    ]);
    await up();
    expect(machine().memory?.current).toBe(common[2]);
    expect(machine().disk.generations).toHaveLength(1);
    const presented = test.lab.fleet.hosts.get("node-01")?.hostPublicKey;
    expect(key.public.startsWith(presented ?? "none")).toBe(true);
  });

  it("fails an installation on a disk that was not formatted", async () => {
    const done = await anywhere([...(await storePaths()), "--phases", "install"]);
    expect(done).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("/mnt is not mounted") });
    expect(done.steps.at(-1)).toBe("Installing NixOS");
  });

  it("waits for ever for a host that cannot be reached", async () => {
    await labFault(test.dir, "node-01", "unreachable");
    const done = await anywhere([...(await storePaths()), "--phases", "kexec"], { timeout: 2500 });
    expect(done).toMatchObject({ timedOut: true, steps: ["Uploading install SSH keys"] });
  });

  it.each([
    [["--phases", "kexec,dance"], /^aborted: Unknown phase: dance$/m],
    [["--what"], /^aborted: Unknown argument: --what$/m],
    [["--phases", "disko"], /^aborted: --store-paths must be set$/m],
    [["--store-paths", "/nope", "/nope"], /^aborted: store path \/nope does not exist$/m],
  ])("aborts on %j", async (args, message) => {
    const done = await anywhere(args);
    expect(done).toMatchObject({ exitCode: 1, steps: [] });
    expect(done.stderr).toMatch(message);
  });
});

describe("nixos-anywhere on an installed lab host", () => {
  beforeEach(async () => {
    test = await labInProcess({ hosts: 1 });
  });

  it("goes through kexec, wipes, installs anew, with a new host key", async () => {
    const before = test.lab.fleet.hosts.get("node-01")?.hostPublicKey;
    const done = await anywhere(await storePaths());
    expect(done).toMatchObject({ exitCode: 0 });
    expect(done.steps).toEqual([
      ...ALWAYS,
      "Switching system into kexec",
      "Gathering machine facts",
      "Formatting hard drive with disko",
      "Uploading the system closure",
      "Installing NixOS",
      "Rebooting",
      "Waiting for the machine to become unreachable due to reboot",
      "Done!",
    ]);
    await up();
    expect(machine().memory?.kind).toBe("system");
    expect(test.lab.fleet.hosts.get("node-01")?.hostPublicKey).not.toBe(before);
  });

  it("does not format a disk that is in use", async () => {
    const done = await anywhere([...(await storePaths()), "--phases", "disko"]);
    expect(done).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("in use") });
    expect(machine().memory?.current).not.toBe("");
  });
});
