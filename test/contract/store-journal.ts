import { describe, expect, test } from "vitest";
import { Secret } from "../../src/kernel/secret.ts";
import { exportNdjson, importNdjson } from "../../src/store/archive.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { becomes, log, newRun, T0 } from "./store-bodies.ts";
import { failsWith, type Subject, subjectPerTest } from "./store-subject.ts";

/** The journal's part of the contract: order, gaps, conflicts, fences, the projected row, export. */
export function storeJournalContract(make: () => Promise<Subject>): void {
  describe("journal", () => {
    const store = subjectPerTest(make);

    test("numbers events from 1 without a gap, per run, and returns what reading gives", async () => {
      await store().create(newRun("r-1"));
      await store().create(newRun("r-2"));
      const first = await store().append("r-1", 0, [log("a"), log("b")], { now: T0 });
      await store().append("r-2", 0, [log("other")], { now: T0 });
      const second = await store().append("r-1", 2, [log("c")], { now: T0 + 1_500 });
      const read = await store().events("r-1");
      expect(read).toEqual([...first, ...second]);
      expect(read.map((e) => [e.seq, e.rollout, e.ts])).toEqual([
        [1, "r-1", "2026-01-01T00:00:00.000Z"],
        [2, "r-1", "2026-01-01T00:00:00.000Z"],
        [3, "r-1", "2026-01-01T00:00:01.500Z"],
      ]);
      expect(await store().events("r-1", 2)).toEqual(second);
      expect(await store().events("r-1", 3)).toEqual([]);
      expect(await store().events("r-none")).toEqual([]);
    });

    test("refuses a writer who has not seen the last event, and keeps nothing of it", async () => {
      await store().create(newRun("r-1"));
      await store().append("r-1", 0, [log("a")], { now: T0 });
      for (const stale of [0, 2]) {
        const late = store().append("r-1", stale, [log("x"), becomes("running")], { now: T0 + 1 });
        await expect(late).rejects.toEqual(failsWith("lease-lost"));
      }
      expect(await store().events("r-1")).toHaveLength(1);
      expect(await store().run("r-1")).toMatchObject({ lastSeq: 1, state: "planned", updatedAt: T0 });
    });

    test("lets one of many concurrent writers through at each place", async () => {
      await store().create(newRun("r-1"));
      const writes = Array.from({ length: 10 }, (_, i) =>
        store().append("r-1", 0, [log(`writer ${i}`)], { now: T0 }),
      );
      const settled = await Promise.allSettled(writes);
      expect(settled.filter((s) => s.status === "fulfilled")).toHaveLength(1);
      for (const s of settled) if (s.status === "rejected") expect(s.reason).toEqual(failsWith("lease-lost"));
      expect(await store().events("r-1")).toHaveLength(1);
    });

    test("refuses every fence but the current one", async () => {
      await store().create(newRun("r-1"));
      const append = (at: number, fence: number) =>
        store().append("r-1", at, [log(`${fence}`)], { now: T0, fence });
      await expect(append(0, 1)).rejects.toEqual(failsWith("lease-lost"));
      await store().lease("run:r-1", "a", 1_000, T0);
      await append(0, 1);
      const other = await store().lease("run:r-1", "b", 1_000, T0 + 2_000);
      if (other === null) throw new Error("not granted");
      await expect(append(1, 1)).rejects.toEqual(failsWith("lease-lost"));
      await expect(append(1, 3)).rejects.toEqual(failsWith("lease-lost"));
      await append(1, other.fence);
      await store().release(other);
      await expect(append(2, other.fence)).rejects.toEqual(failsWith("lease-lost"));
      expect((await store().events("r-1")).map((e) => e.type === "host.log" && e.data.lines[0])).toEqual([
        "1",
        "2",
      ]);
    });

    test("lets the holder repeat an append whose answer was lost", async () => {
      await store().create(newRun("r-1"));
      await store().lease("run:r-1", "a", 1_000, T0);
      const bodies = [log("a"), becomes("running")];
      const append = (body: typeof bodies, o: { now: number; fence?: number }) =>
        store().append("r-1", 0, body, o);
      const first = await append(bodies, { now: T0, fence: 1 });
      expect(await append(bodies, { now: T0, fence: 1 })).toEqual(first);
      expect(await store().events("r-1")).toEqual(first);
      for (const other of [
        () => append(bodies, { now: T0 }),
        () => append(bodies, { now: T0 + 1, fence: 1 }),
        () => append([log("b"), becomes("running")], { now: T0, fence: 1 }),
        () => append([log("a")], { now: T0, fence: 1 }),
        () => append([], { now: T0, fence: 1 }),
      ]) {
        await expect(other()).rejects.toEqual(failsWith("lease-lost"));
      }
      expect(await store().events("r-1")).toEqual(first);
    });

    test("projects the run's row with the events", async () => {
      await store().create(newRun("r-1"));
      expect(await store().run("r-1")).toEqual({ ...newRun("r-1"), lastSeq: 0, updatedAt: T0 });
      await store().append("r-1", 0, [becomes("running"), becomes("paused"), log("x")], { now: T0 + 5 });
      expect(await store().run("r-1")).toMatchObject({ state: "paused", lastSeq: 3, updatedAt: T0 + 5 });
      await store().append("r-1", 3, [log("y")], { now: T0 + 6, state: "aborted" });
      expect(await store().run("r-1")).toMatchObject({ state: "aborted", lastSeq: 4 });
      await store().append("r-1", 4, [], { now: T0 + 7 });
      expect(await store().run("r-1")).toMatchObject({ state: "aborted", lastSeq: 4, updatedAt: T0 + 7 });
      expect(await store().run("r-none")).toBeNull();
    });

    test("refuses a second run of the same name, and events for an unknown one", async () => {
      await store().create(newRun("r-1"));
      await store().append("r-1", 0, [log("kept")], { now: T0 });
      await expect(store().create(newRun("r-1", { operator: "eve" }))).rejects.toEqual(failsWith("locked"));
      expect(await store().run("r-1")).toMatchObject({ operator: "ada", lastSeq: 1 });
      const stray = store().append("r-none", 0, [log("x")], { now: T0 });
      await expect(stray).rejects.toEqual(failsWith("rollout-not-found"));
    });

    test("lists runs newest first, by kind, by being finished, up to a limit", async () => {
      await store().create(newRun("r-old", { createdAt: T0 - 5, state: "succeeded" }));
      await store().create(newRun("r-a", { state: "paused", reverts: "r-old" }));
      await store().create(newRun("i-b", { kind: "install", state: "failed" }));
      await store().create(newRun("r-older", { createdAt: T0 - 9, state: "running" }));
      const ids = async (query?: Parameters<ReturnType<typeof store>["runs"]>[0]) =>
        (await store().runs(query)).map((run) => run.id);
      expect(await ids()).toEqual(["i-b", "r-a", "r-old", "r-older"]);
      expect(await ids({ kind: "rollout" })).toEqual(["r-a", "r-old", "r-older"]);
      expect(await ids({ active: true })).toEqual(["r-a", "r-older"]);
      expect(await ids({ active: false, kind: "rollout" })).toEqual(["r-old"]);
      expect(await ids({ limit: 2 })).toEqual(["i-b", "r-a"]);
      expect(await store().run("r-a")).toMatchObject({ reverts: "r-old" });
    });

    test("keeps any text, and large ones", async () => {
      const strange = [
        "",
        "'; DROP TABLE run; --",
        "näïve 日本語 🚀",
        "\u0000\u001b[31m\r\n",
        "\ud800 alone",
        "\\u0000",
      ];
      const large = "x".repeat(2_000_000);
      await store().create(newRun("r-1", { operator: "Zoë “🚀” O'Hara" }));
      const written = await store().append("r-1", 0, [log(...strange), log(large)], { now: T0 });
      const [first, second] = await store().events("r-1");
      expect(first).toEqual(written[0]);
      expect(first?.data).toEqual({ lines: strange });
      expect(second?.data).toEqual({ lines: [large] });
      expect(await store().run("r-1")).toMatchObject({ operator: "Zoë “🚀” O'Hara" });
    });

    test("keeps 5,000 events in order", async () => {
      await store().create(newRun("r-1"));
      const bodies = Array.from({ length: 4_000 }, (_, i) => log(`line ${i}`));
      await store().append("r-1", 0, bodies, { now: T0 });
      for (let seq = 4_000; seq < 5_000; seq += 50) {
        await store().append(
          "r-1",
          seq,
          Array.from({ length: 50 }, () => log(`${seq}`)),
          { now: T0 + seq },
        );
      }
      const events = await store().events("r-1");
      expect(events.map((e) => e.seq)).toEqual(Array.from({ length: 5_000 }, (_, i) => i + 1));
      expect(events[3_999]?.data).toEqual({ lines: ["line 3999"] });
    });

    test("never holds a secret or an event outside the schema", async () => {
      await store().create(newRun("r-1"));
      const token = new Secret("hunter2");
      const diagnostic = {
        type: "diagnostic",
        level: "info",
        msg: "m",
        data: { code: "c", detail: { token } },
      } as const;
      await store().append("r-1", 0, [diagnostic], { now: T0 });
      expect(JSON.stringify(await store().events("r-1"))).not.toContain("hunter2");
      const wrong = { ...log("x"), level: "loud" } as unknown as ReturnType<typeof log>;
      await expect(store().append("r-1", 1, [log("y"), wrong], { now: T0 })).rejects.toThrow(/level/);
      expect(await store().events("r-1")).toHaveLength(1);
    });

    test("goes out as ndjson and comes back the same", async () => {
      await store().create(newRun("r-1", { reverts: "r-0" }));
      await store().append("r-1", 0, [becomes("running"), log("ü")], { now: T0 });
      await store().append("r-1", 2, [becomes("succeeded")], { now: T0 + 60_000 });
      const lines = await collect(exportNdjson(store(), ["r-1"], "test"));
      expect(JSON.parse(lines[0] ?? "")).toEqual({ type: "version", schema: "1.0", tool: "test" });
      await using other = new MemoryStore();
      expect(await importNdjson(other, [...lines, '{"type":"from.the.future"}', ""], "x.ndjson")).toEqual([
        "r-1",
      ]);
      expect(await other.events("r-1")).toEqual(await store().events("r-1"));
      expect(await other.run("r-1")).toEqual(await store().run("r-1"));
      await expect(importNdjson(store(), lines, "x.ndjson")).rejects.toEqual(failsWith("locked"));
    });

    test("imports nothing of a broken export", async () => {
      await using other = new MemoryStore();
      await other.create(newRun("r-1"));
      await other.append("r-1", 0, [log("a"), log("b"), log("c")], { now: T0 });
      const lines = await collect(exportNdjson(other, ["r-1"], "test"));
      const broken = { gap: lines.toSpliced(3, 1), tail: lines.slice(0, -1), text: lines.with(3, "{") };
      for (const export_ of Object.values(broken)) {
        await expect(importNdjson(store(), export_, "x")).rejects.toEqual(failsWith("state-corrupt"));
      }
      const newer = lines.with(0, '{"type":"version","schema":"2.0","tool":"x"}');
      await expect(importNdjson(store(), newer, "x")).rejects.toEqual(failsWith("state-newer"));
      expect(await store().runs()).toEqual([]);
    });
  });
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}
