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
if [ -e ${root}/hold-$phase ]; then : > ${root}/waits; while [ -e ${root}/hold-$phase ]; do sleep 0.1; done; fi
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
    expect(all).toContain("something has changed");
    expect(all).toContain(`fix: look again: macula-fleet install --check --limit node-01 -i ${inventory()}`);
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
    // Found before anything was recorded.
    expect((await cli(["rollout", "history", "-i", inventory()])).all).not.toContain("i-");
  });

  it("says by its exit status whether there is something to do", async () => {
    expect((await install("--check", "--detailed-exitcode", "--limit", "node-01")).exitCode).toBe(2);
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

  it("and whose run is given up leaves nothing at work; the run is not gone on with", async () => {
    const program = await watchedStandIn();
    await writeFile(join(root, "wait-disko"), "");
    const first = install("--limit", "node-01", "--reinstall", "--yes");
    await expect.poll(() => readdir(root), { timeout: 30_000 }).toContain("waits");
    first.kill("SIGKILL");
    await first;
    const id = await latestId();
    const taken = await install("--limit", "node-01", "--reinstall", "--yes");
    expect(taken.exitCode, taken.all).toBe(6);
    expect(taken.all).toContain(`${id} (running) has not finished with node-01`);
    expect(taken.all).toContain(`fix: macula-fleet install --continue ${id}; or give it up`);
    const rollout = await cli([
      "rollout",
      "-i",
      inventory(),
      "--limit",
      "node-01",
      "--force",
      "--supersede",
      "--yes",
    ]);
    expect(rollout.exitCode, rollout.all).not.toBe(0);
    const left = Number(await readFile(join(root, "pid"), "utf8"));
    const abort = await cli(["rollout", "abort", id, "-i", inventory()]);
    expect(abort.all).toContain(`${id} is given up; it had begun with node-01`);
    expect(abort.exitCode).toBe(3);
    expect(await readFile(`/proc/${left}/cmdline`, "latin1").catch(() => "")).toBe("");
    for (const args of [["--continue", id], ["--continue"]]) {
      const again = await install(...args, "--yes");
      expect(again.exitCode, again.all).toBe(64);
    }
    await rm(join(root, "wait-disko"));
    await rm(join(root, "waits"));
    const anew = await install("--limit", "node-01", "--reinstall", "--yes");
    expect(anew.exitCode, anew.all).toBe(0);
    await program.restore();
  });
});

const latestId = async (): Promise<string> => {
  const history = await cli(["rollout", "history", "-i", inventory(), "-o", "json"]);
  return JSON.parse(history.stdout)[0].id;
};

it("obeys an abort from elsewhere: finishes what is erased, begins nothing more", async () => {
  const program = await watchedStandIn();
  await writeFile(join(root, "hold-disko"), "");
  const run = install("--limit", "node-05,node-06", "--parallel", "1", "--yes");
  await expect.poll(() => readdir(root), { timeout: 30_000 }).toContain("waits");
  const id = await latestId();
  for (const word of ["resume", "retry", "promote", "undo"]) {
    const said = await cli(["rollout", word, id, "-i", inventory()]);
    expect(said.exitCode, `${word}: ${said.all}`).not.toBe(0);
  }
  const abort = await cli(["rollout", "abort", id, "-i", inventory()]);
  expect(abort.all).toContain("machines whose disk is untouched are left alone, the others are finished");
  expect(abort.exitCode).toBe(0);
  await rm(join(root, "hold-disko"));
  const { all, exitCode } = await run;
  expect(all).toContain(`${id} is aborted`);
  expect(all).toMatch(/installed +1 {2}node-05/);
  expect(all).not.toMatch(/node-06 \S+ waiting ->/);
  expect(exitCode).toBe(3);
  await rm(join(root, "waits"));
  await program.restore();
});

it("says what stays where it is when it is left at once", async () => {
  const program = await watchedStandIn();
  await writeFile(join(root, "wait-install"), "");
  const run = install("--limit", "node-06", "--yes");
  await expect.poll(() => readdir(root), { timeout: 30_000 }).toContain("waits");
  run.kill("SIGINT");
  setTimeout(() => run.kill("SIGINT"), 500);
  const { all, exitCode } = await run;
  expect(exitCode, all).toBe(130);
  expect(all).toMatch(/node-06 stay as far as they are; go on with: macula-fleet install --continue i-/);
  await rm(join(root, "wait-install"));
  await rm(join(root, "waits"));
  const again = await install("--continue", "--yes");
  expect(again.exitCode, again.all).toBe(0);
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

  it("that cannot be had are found before anything is touched, by name", async () => {
    const before = (await calls()).length;
    for (const args of [["--check"], ["--yes"]]) {
      const { all, exitCode } = await install("--limit", "node-04", "--reinstall", ...args);
      expect(exitCode).toBe(3);
      expect(all).toMatch(/refused node-04 .*the variable LAB_TOKEN is not set\n\s+fix: /);
    }
    expect((await calls()).length).toBe(before);
  });
});

it("leaves a machine that runs NixOS alone unless told otherwise", async () => {
  const { all, exitCode } = await install("--limit", "node-01", "--yes");
  expect(exitCode).toBe(0);
  expect(all).toContain("--reinstall erases it");
  const stale = await install("--limit", "node-01", "--yes", "--plan-hash", "0000");
  expect(stale.exitCode, stale.all).toBe(1);
});
