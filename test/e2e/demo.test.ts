/** `macula-fleet demo`: the narrated tour ends well and leaves nothing behind. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "../support/cli-process.ts";

it("tells the story to its end and leaves nothing behind", async () => {
  const home = await mkdtemp(join(tmpdir(), "macula-demo-"));
  try {
    const ran = await run(["demo", "--hosts", "6"], { env: { HOME: home, TMPDIR: home } });
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout).toMatch(/That was the tour/);
    expect(ran.stdout).toMatch(/LAB/);
    expect((await readdir(home)).filter((f) => f.includes("demo"))).toEqual([]);
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
});
