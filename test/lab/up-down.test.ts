import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { loadInventory } from "../../src/inventory/load.ts";
import {
  defaultLabDir,
  type LabUpOptions,
  labDown,
  labFault,
  labRelease,
  labStatus,
  labUp,
} from "../../src/lab/index.ts";
import { alive, readRunningLab } from "../../src/lab/running.ts";
import { temporaryDir, waitFor } from "./support/lab.ts";

let base: string;
let dir: string;
beforeEach(async () => {
  base = await temporaryDir();
  dir = join(base, "lab");
});
afterEach(async () => {
  await labDown(dir);
  rmSync(base, { recursive: true, force: true });
});

const up = (options: Partial<LabUpOptions> = {}) =>
  labUp({ dir, hosts: 3, signal: new AbortController().signal, ...options });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof FleetError ? error.code : String(error)),
  );

it("runs detached, says what it is, and leaves nothing behind", async () => {
  const lab = await up({ hosts: 12, sites: 3 });
  expect(lab.pid).not.toBe(process.pid);
  const status = await labStatus(dir);
  expect(status).toMatchObject({ simulated: true, running: true, head: "r2" });
  expect(status?.hosts.map((h) => h.role)).toEqual([
    ...Array.from({ length: 9 }, () => "peer"),
    "gateway",
    "bootstrap",
    "bootstrap",
  ]);
  expect(new Set(status?.hosts.map((h) => h.site)).size).toBe(3);
  expect(status?.hosts.every((h) => h.reachable && h.current.endsWith("-r1"))).toBe(true);
  expect(statSync(join(dir, "id_ed25519")).mode & 0o777).toBe(0o600);
  expect(statSync(join(dir, "lab.json")).mode & 0o077).toBe(0);

  expect(await labDown(dir)).toBe(true);
  expect(alive(lab.pid)).toBe(false);
  expect(existsSync(dir)).toBe(false);
  expect(await labDown(dir)).toBe(false);
  expect(await labStatus(dir)).toBeNull();
});

it.each([1, 2, 5, 40])("writes a valid inventory of %i hosts", async (hosts) => {
  await up({ hosts });
  const { problems, inventory } = await loadInventory({
    path: join(dir, "inventory.yaml"),
    cwd: dir,
    env: {},
    now: Date.now(),
  });
  expect(problems.filter((p) => p.severity === "error")).toEqual([]);
  expect(inventory?.hosts).toHaveLength(hosts);
  expect(inventory?.lab).toEqual({ backend: "sim", dir });
  expect(inventory?.policy).toMatchObject({
    confirmTimeoutMs: 5000,
    minHealthyTimeMs: 500,
    finalBakeMs: 1000,
  });
});

it("leaves the files of others alone", async () => {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "notes.txt"), "mine");
  await up();
  await labDown(dir);
  expect(readFileSync(join(dir, "notes.txt"), "utf8")).toBe("mine");
  expect(existsSync(join(dir, "inventory.yaml"))).toBe(false);

  writeFileSync(join(dir, "inventory.yaml"), "mine too");
  expect(await codeOf(up())).toBe("lab-failed");
  expect(readFileSync(join(dir, "inventory.yaml"), "utf8")).toBe("mine too");
});

it("refuses a second lab in the same place, and sizes that make no sense", async () => {
  await up();
  expect(await codeOf(up())).toBe("lab-failed");
  const elsewhere = join(base, "other");
  expect(await codeOf(up({ dir: elsewhere, hosts: 0 }))).toBe("usage");
  expect(await codeOf(up({ dir: elsewhere, hosts: 2, sites: 3 }))).toBe("usage");
  expect(existsSync(elsewhere)).toBe(false);
});

it("can be put down after its process was killed", async () => {
  const lab = await up();
  process.kill(lab.pid, "SIGKILL");
  await waitFor("its end", async () => !alive(lab.pid));
  expect(await labStatus(dir)).toMatchObject({ running: false, hosts: [] });
  expect(await codeOf(labFault(dir, "node-01", "slow"))).toBe("lab-failed");
  expect(await labDown(dir)).toBe(true);
  expect(existsSync(dir)).toBe(false);
});

it("starts anew after it was killed, without the runs of the old hosts", async () => {
  const lab = await up();
  writeFileSync(join(dir, "state", "state.db"), "runs of hosts that are gone");
  process.kill(lab.pid, "SIGKILL");
  await waitFor("its end", async () => !alive(lab.pid));
  await up();
  expect(existsSync(join(dir, "state", "state.db"))).toBe(false);
});

it("says why it cannot start, and leaves nothing half made", async () => {
  writeFileSync(join(base, "file"), "");
  await expect(up({ dir: join(base, "file", "lab") })).rejects.toMatchObject({ code: "lab-failed" });
  mkdirSync(join(dir, "releases.json"), { recursive: true });
  await expect(up()).rejects.toMatchObject({
    code: "lab-failed",
    message: expect.stringContaining("releases"),
  });
  expect(existsSync(join(dir, "id_ed25519"))).toBe(false);
  rmSync(join(dir, "releases.json"), { recursive: true, force: true });
});

it("starts nothing when it is interrupted", async () => {
  const stop = new AbortController();
  const starting = up({ signal: stop.signal });
  stop.abort(new Error("^C"));
  await expect(starting).rejects.toThrow("^C");
  expect(existsSync(dir)).toBe(false);
});

it("does not take another process with its number for the lab", async () => {
  mkdirSync(dir, { recursive: true });
  const lab = await up();
  await labDown(dir, { keep: true });
  writeFileSync(join(dir, "lab.json"), JSON.stringify({ ...lab, pid: process.ppid }));
  expect(await labDown(dir)).toBe(true);
  expect(alive(process.ppid)).toBe(true);
});

it("says when its record is of a newer version or damaged", async () => {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "lab.json"), '{"schema":2}');
  expect(await codeOf(labStatus(dir))).toBe("state-newer");
  writeFileSync(join(dir, "lab.json"), "{");
  expect(await codeOf(labStatus(dir))).toBe("lab-failed");
  rmSync(join(dir, "lab.json"));
});

it("resumes with the same ports, keys and disks after --keep", async () => {
  const first = await up();
  const known = readFileSync(join(dir, "known_hosts"), "utf8");
  labRelease(dir, "r3", { behaviour: "bad-health" });
  await labDown(dir, { keep: true });
  const second = await up();
  expect(second.hosts).toEqual(first.hosts);
  expect(readFileSync(join(dir, "known_hosts"), "utf8")).toBe(known);
  expect(await labStatus(dir)).toMatchObject({ head: "r3", releases: { r3: { behaviour: "bad-health" } } });
  await waitFor("the hosts", async () => (await labStatus(dir))?.hosts.every((h) => h.reachable));
});

it("runs in the foreground until it is interrupted", async () => {
  const stop = new AbortController();
  const ready = Promise.withResolvers<number>();
  const running = up({ foreground: true, signal: stop.signal, onReady: (lab) => ready.resolve(lab.pid) });
  expect(await ready.promise).toBe(process.pid);
  expect((await labStatus(dir))?.hosts).toHaveLength(3);
  stop.abort();
  await running;
  expect(existsSync(dir)).toBe(false);
});

it("starts installers when blank", async () => {
  await up({ blank: true });
  const status = await labStatus(dir);
  expect(status?.hosts.every((h) => h.runs === "installer" && h.current === "")).toBe(true);
});

it("lives where XDG says", () => {
  expect(defaultLabDir({ XDG_STATE_HOME: "/x" })).toBe("/x/macula-fleet/lab");
  expect(defaultLabDir({ HOME: "/home/ann" })).toBe("/home/ann/.local/state/macula-fleet/lab");
  expect(readRunningLab(join(base, "nowhere"))).toBeNull();
});
