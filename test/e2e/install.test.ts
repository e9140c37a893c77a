/** `macula-fleet install` as its users meet it, against a blank lab of simulated machines. */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseDocument } from "yaml";

const CLI = fileURLToPath(new URL("../../bin/macula-fleet.js", import.meta.url));
const HOSTS = 6;
let root: string;
let dir: string;
const inventory = () => join(dir, "inventory.yaml");
const cli = (args: readonly string[], env: Record<string, string> = {}) =>
  execa(process.execPath, [CLI, ...args], {
    env,
    reject: false,
    all: true,
    stdin: "ignore",
    forceKillAfterDelay: false,
  });
const install = (...args: readonly string[]) => cli(["install", "-i", inventory(), ...args]);

/** The lab's nixos-anywhere behind one that writes down what it was told, and waits where a test wants it to. */
async function watched(): Promise<string> {
  const file = join(root, "watched");
  const script = `#!/bin/sh
phase=; previous=
for word in "$@"; do [ "$previous" != --phases ] || phase=$word; previous=$word; done
printf '%s\\n' "$phase $*" >> ${root}/calls
if [ -e ${root}/wait-$phase ]; then echo $$ > ${root}/pid; : > ${root}/waits; exec sleep 300; fi
exec ${join(dir, "bin", "nixos-anywhere")} "$@"
`;
  await writeFile(file, script);
  await chmod(file, 0o755);
  return file;
}
const calls = async () => (await readFile(join(root, "calls"), "utf8").catch(() => "")).trim().split("\n");

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "mf-e2e-"));
  dir = join(root, "lab");
  const up = await cli(["lab", "up", "--blank", "--hosts", String(HOSTS), "--sites", "1", "--dir", dir]);
  expect(up.exitCode, up.all).toBe(0);
});
afterAll(async () => {
  await cli(["lab", "down", "--dir", dir]);
  await rm(root, { recursive: true, force: true });
});

describe("before anything is done", () => {
  it("shows the disk, its serial and size, as text and as data", async () => {
    const { all, exitCode } = await install("--check", "--limit", "node-01");
    expect(exitCode).toBe(0);
    expect(all).toMatch(/ERASES \/dev\/disk\/by-id\/virtio-LABNODE01 {2}LAB DISK, serial LABNODE01, 8 GiB/);
    expect(all).toContain("which is empty: nothing is lost");
    const data = JSON.parse((await install("--check", "--limit", "node-01", "-o", "json")).stdout);
    expect(data.targets["node-01"].disk).toMatchObject({ serial: "LABNODE01", contents: [] });
    expect(all).toContain(data.hash);
  });

  it("asks nobody where nobody is", async () => {
    const { all, exitCode } = await install("--limit", "node-01");
    expect(exitCode).toBe(64);
    expect(all).toMatch(/--yes --plan-hash [0-9a-f]{64}/);
  });

  it("does nothing when the plan has changed since", async () => {
    const { all, exitCode } = await install("--limit", "node-01", "--yes", "--plan-hash", "0000");
    expect(exitCode).toBe(1);
    expect(all).toContain("not what they were");
    expect((await install("--check")).all).toContain("6 machines");
  });

  it("refuses a disk that is not the inventory's", async () => {
    const text = await readFile(inventory(), "utf8");
    const doc = parseDocument(text);
    doc.setIn(["hosts", "node-01", "disk"], { serial: "ANOTHER" });
    await writeFile(inventory(), doc.toString());
    const { all, exitCode } = await install("--limit", "node-01", "--yes");
    await writeFile(inventory(), text);
    expect(exitCode).toBe(3);
    expect(all).toContain("no disk has the serial ANOTHER");
    expect(all).toContain("LABNODE01");
  });

  it("takes only a working nixos-anywhere", async () => {
    const old = join(root, "old");
    await writeFile(old, "#!/bin/sh\necho nothing new\n");
    await chmod(old, 0o755);
    const { all, exitCode } = await install("--limit", "node-01", "--yes", "--nixos-anywhere", old);
    expect(exitCode).toBe(1);
    expect(all).toContain("too old");
  });
});

describe("a controller that is killed", () => {
  // One machine per phase; the kill comes while nixos-anywhere is at it.
  it.each([
    ["disko", "node-01", ["disko", "install", "reboot"]],
    ["install", "node-02", ["install", "reboot"]],
    ["reboot", "node-03", ["reboot"]],
  ])("during %s goes on from there", async (phase, host, remaining) => {
    const program = await watchedStandIn();
    await writeFile(join(root, `wait-${phase}`), "");
    const first = install("--limit", host, "--yes");
    await expect.poll(() => readdir(root), { timeout: 30_000 }).toContain("waits");
    first.kill("SIGKILL");
    await first;
    await rm(join(root, `wait-${phase}`));
    await rm(join(root, "waits"));
    const left = Number(await readFile(join(root, "pid"), "utf8"));
    const before = (await calls()).length;
    const again = await install("--continue", "--yes");
    expect(again.all).toContain(`installed     1  ${host}`);
    expect(again.exitCode).toBe(0);
    expect((await calls()).slice(before).map((c) => c.split(" ")[0])).toEqual(remaining);
    expect(await readdir(join(dir, "state", "work"))).toEqual([]);
    // What the killed one had started was not left at the machine beside the new one.
    await expect.poll(() => readFile(`/proc/${left}/cmdline`, "latin1").catch(() => "")).toBe("");
    await program.restore();
  });

  /** In place of the lab's own: `--nixos-anywhere` would make it one that speaks real ssh. */
  async function watchedStandIn() {
    const own = join(dir, "bin", "nixos-anywhere");
    const text = await readFile(own, "utf8");
    await writeFile(join(dir, "bin", "real"), text, { mode: 0o755 });
    const script = (await readFile(await watched(), "utf8")).replaceAll(own, join(dir, "bin", "real"));
    await writeFile(own, script);
    return { restore: () => writeFile(own, text) };
  }
});

describe("secrets", () => {
  const SECRET = "K10never-to-be-seen";
  it("are on the machine and nowhere else", async () => {
    const doc = parseDocument(await readFile(inventory(), "utf8"));
    doc.setIn(["hosts", "node-04", "files"], [{ path: "/etc/lab-token", ref: "env:LAB_TOKEN" }]);
    await writeFile(inventory(), doc.toString());
    const args = ["install", "-i", inventory(), "--limit", "node-04", "--yes", "-o", "ndjson"];
    const { all, exitCode } = await cli(args, { LAB_TOKEN: SECRET });
    expect(exitCode, all).toBe(0);
    expect(all).not.toContain(SECRET);
    expect(all).not.toContain("PRIVATE KEY");
    const files = (await readdir(join(dir, "state"), { recursive: true, withFileTypes: true })).filter((e) =>
      e.isFile(),
    );
    for (const file of files) {
      const content = await readFile(join(file.parentPath, file.name), "latin1");
      expect(content.includes(SECRET) || content.includes("PRIVATE KEY"), file.name).toBe(false);
    }
    expect((await calls()).join("\n")).not.toContain(SECRET);
  });

  it("that cannot be had stop the machine before it is touched further, by name", async () => {
    const { all, exitCode } = await install("--limit", "node-04", "--reinstall", "--yes");
    expect(exitCode).toBe(3);
    expect(all).toContain("the variable LAB_TOKEN is not set");
    expect(all).toContain("kexec -> failed");
    expect(all).not.toContain("partitioning");
  });
});

it("leaves a machine that runs NixOS alone unless told otherwise", async () => {
  const { all, exitCode } = await install("--limit", "node-01", "--yes");
  expect(exitCode).toBe(0);
  expect(all).toContain("--reinstall erases it");
});
