import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withLock } from "./lock.ts";

describe("withLock", () => {
  let dir: string;
  const options = (signal = new AbortController().signal) => ({
    signal,
    clock: {
      now: () => 0,
      sleep: async (_: number, aborted?: AbortSignal) => {
        await new Promise((resolve) => setImmediate(resolve));
        aborted?.throwIfAborted();
      },
    },
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "mf-lock-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it("lets one in at a time and leaves nothing behind", async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    const path = join(dir, "lock");
    // One process is one owner here, as another call of the same process must wait too.
    await Promise.all(Array.from({ length: 5 }, () => withLock(path, options(), work)));
    expect(most).toBe(1);
    expect(await readdir(dir)).toEqual([]);
  });

  it("takes over from an owner that has died", async () => {
    await writeFile(join(dir, "lock"), "2147483646");
    expect(await withLock(join(dir, "lock"), options(), async () => "done")).toBe("done");
  });

  it("can be given up while it waits, and is free after a failure", async () => {
    const path = join(dir, "lock");
    await expect(withLock(path, options(), () => Promise.reject(new Error("failed")))).rejects.toThrow(
      "failed",
    );
    const stop = new AbortController();
    await withLock(path, options(), async () => {
      const waiting = withLock(path, options(stop.signal), async () => "never");
      stop.abort(new Error("given up"));
      await expect(waiting).rejects.toThrow("given up");
    });
    expect(await withLock(path, options(), async () => "mine")).toBe("mine");
  });
});
