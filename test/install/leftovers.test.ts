/** What a killed controller left running: ended whole, from its first moment on, and nobody else's. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { endLeftovers, workingIn } from "../../src/install/leftovers.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-leftovers-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A process with a child in a session of its own, as a daemonised ssh is; prints the child's number. */
const start = (env: Readonly<Record<string, string>>) =>
  execa("sh", ["-c", "setsid sleep 300 & echo $!; exec sleep 300"], { env, reject: false, buffer: false });
const child = async ({ stdout }: ReturnType<typeof start>): Promise<number> =>
  Number(String((await once(stdout, "data"))[0]));

/** One that has ended has no command line any more, whether or not somebody has asked how. */
const isAlive = (pid: number | undefined): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1") !== "";
  } catch {
    return false;
  }
};

it("ends a process and what it started, wherever that went, and leaves other runs alone", async () => {
  const ours = start(workingIn(join(dir, "i-1", "node-01")));
  const others = start(workingIn(join(dir, "i-12", "node-01")));
  const [below, beside] = [await child(ours), await child(others)];
  expect(await endLeftovers(join(dir, "i-1"))).toBe(2);
  expect((await ours).signal).toBe("SIGKILL");
  await expect.poll(() => isAlive(below)).toBe(false);
  expect(isAlive(others.pid) && isAlive(beside)).toBe(true);
  expect(await endLeftovers(join(dir, "i-12"))).toBe(2);
  expect(await endLeftovers(join(dir, "i-12"))).toBe(0);
  await others;
});

it("finds a process in its first moment", async () => {
  const process = start(workingIn(join(dir, "i-2")));
  await expect.poll(() => endLeftovers(dir)).toBeGreaterThan(0);
  expect((await process).signal).toBe("SIGKILL");
});
