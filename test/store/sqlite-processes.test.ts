import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { newRun, T0 } from "../contract/store-bodies.ts";

const RACER = fileURLToPath(new URL("racer.ts", import.meta.url));
const Fact = z.object({
  name: z.string(),
  seq: z.number().optional(),
  minute: z.number().optional(),
  fence: z.number().optional(),
});

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fleet-store-"));
  path = join(directory, "state.db");
});
afterEach(() => rm(directory, { recursive: true }));

type Racer = ChildProcessByStdio<null, Readable, Readable>;

function start(work: string, name: string): Racer {
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  return spawn(process.execPath, ["--no-warnings", RACER, path, work, name], { stdio });
}

async function finish(racer: Racer) {
  const [out, errors] = await Promise.all([text(racer.stdout), text(racer.stderr)]);
  expect(errors).toBe("");
  const lines = out.split("\n").filter((line) => line.endsWith("}"));
  return lines.map((line) => Fact.parse(JSON.parse(line)));
}

describe("several processes on one state file", () => {
  test("create it together, append by turns and lose nothing", async () => {
    // Not even the file exists yet: whoever comes second must not disturb the first.
    const first = start("lease", "a");
    const second = start("lease", "b");
    await Promise.all([finish(first), finish(second)]);
    await using store = await openSqlite(path);
    await store.create(newRun("r-1"));
    const facts = (await Promise.all([finish(start("append", "a")), finish(start("append", "b"))])).flat();
    const events = await store.events("r-1");
    expect(events.map((e) => e.seq)).toEqual(Array.from({ length: 80 }, (_, i) => i + 1));
    for (const { seq, name } of facts) {
      expect(events[(seq ?? 0) - 1]).toMatchObject({ data: { lines: [`${name} after ${(seq ?? 0) - 1}`] } });
    }
    expect(new Set(facts.map((fact) => fact.seq)).size).toBe(80);
  }, 60_000);

  test("never hold one lease at the same time, and no fence is given twice", async () => {
    const facts = (await Promise.all([finish(start("lease", "a")), finish(start("lease", "b"))])).flat();
    const fences = facts.map((fact) => fact.fence);
    expect(new Set(fences).size).toBe(fences.length);
    expect(Math.max(...fences.map(Number))).toBe(fences.length);
    expect(new Set(facts.map((fact) => fact.minute)).size).toBe(fences.length);
    await using store = await openSqlite(path);
    const next = await store.lease("run:r-1", "c", 1, T0 + 1e9);
    expect(next?.fence).toBe(fences.length + 1);
  }, 60_000);

  test("killed in the middle of writing: everything acknowledged is there, nothing is half there", async () => {
    {
      await using store = await openSqlite(path);
      await store.create(newRun("r-1"));
    }
    let acknowledged = 0;
    for (let round = 0; round < 3; round++) {
      const racer = start("append-for-ever", `round ${round}`);
      const said = finish(racer);
      await once(racer.stdout, "data");
      // Not a timing assertion: only lets the kill fall somewhere else each round.
      await new Promise((resolve) => setTimeout(resolve, 40 + round * 30));
      racer.kill("SIGKILL");
      const facts = await said;
      acknowledged = Math.max(acknowledged, ...facts.map((fact) => fact.seq ?? 0));
      await using store = await openSqlite(path);
      const events = await store.events("r-1");
      expect(events.length).toBeGreaterThanOrEqual(acknowledged);
      expect(await store.run("r-1")).toMatchObject({ lastSeq: events.length });
    }
    expect(acknowledged).toBeGreaterThan(3);
  }, 60_000);
});
