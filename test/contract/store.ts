import { describe, expect, test } from "vitest";
import { log, newRun, T0 } from "./store-bodies.ts";
import { storeJournalContract } from "./store-journal.ts";
import { storeModelContract } from "./store-model.ts";
import { failsWith, type Subject, subjectPerTest } from "./store-subject.ts";

/** What every `Store` promises. */
export function storeContract(name: string, make: () => Promise<Subject>): void {
  describe(`store contract: ${name}`, () => {
    storeJournalContract(make);
    leases(make);
    inbox(make);
    hostRecords(make);
    storeModelContract(make);
  });
}

function leases(make: () => Promise<Subject>): void {
  describe("leases", () => {
    const store = subjectPerTest(make);

    test("grow above a fence that hosts have met elsewhere", async () => {
      const lease = await store().lease("run:r-1", "a", 1_000, T0, 41);
      expect(lease?.fence).toBe(42);
      expect((await store().lease("run:r-2", "a", 1_000, T0))?.fence).toBe(43);
      expect((await store().lease("run:r-3", "a", 1_000, T0, 7))?.fence).toBe(44);
    });

    test("are granted when free and refused while held, to everybody", async () => {
      const lease = await store().lease("run:r-1", "a", 1_000, T0);
      expect(lease).toEqual({ key: "run:r-1", owner: "a", fence: 1, expiresAt: T0 + 1_000 });
      expect(await store().lease("run:r-1", "b", 1_000, T0 + 999)).toBeNull();
      expect(await store().lease("run:r-1", "a", 1_000, T0 + 999)).toBeNull();
      expect(await store().lease("run:r-2", "b", 1_000, T0)).toMatchObject({ fence: 2 });
      expect(await store().holder("run:r-1", T0 + 999)).toEqual(lease);
    });

    test("expire by the time given, not by the machine's clock", async () => {
      await store().lease("k", "a", 1_000, T0);
      expect(await store().holder("k", T0 + 1_000)).toBeNull();
      const taken = await store().lease("k", "b", 1_000, T0 + 1_000);
      expect(taken).toMatchObject({ owner: "b", fence: 2 });
      expect(await store().holder("k", T0 + 1_500)).toEqual(taken);
    });

    test("have fences that grow for ever, through release and expiry", async () => {
      const fences: (number | undefined)[] = [];
      for (let i = 0; i < 6; i++) {
        const lease = await store().lease("k", `owner-${i}`, 10, T0 + i * 100);
        fences.push(lease?.fence);
        if (lease !== null && i % 2 === 0) await store().release(lease);
      }
      expect(fences).toEqual([1, 2, 3, 4, 5, 6]);
    });

    test("renew keeps the fence; after a take-over or a release it is refused", async () => {
      const lease = await store().lease("k", "a", 1_000, T0);
      if (lease === null) throw new Error("not granted");
      const renewed = await store().renew(lease, 1_000, T0 + 900);
      expect(renewed).toEqual({ ...lease, expiresAt: T0 + 1_900 });
      expect(await store().lease("k", "b", 1_000, T0 + 1_500)).toBeNull();
      // Expired, but nobody wanted it: still ours.
      const late = await store().renew(renewed, 1_000, T0 + 5_000);
      expect(await store().lease("k", "b", 1_000, T0 + 6_000)).toMatchObject({ fence: 2 });
      await expect(store().renew(late, 1_000, T0 + 6_001)).rejects.toEqual(failsWith("lease-lost"));
    });

    test("release frees at once, and only one's own", async () => {
      const first = await store().lease("k", "a", 1_000, T0);
      if (first === null) throw new Error("not granted");
      await store().release(first);
      expect(await store().holder("k", T0 + 1)).toBeNull();
      await expect(store().renew(first, 1_000, T0 + 1)).rejects.toEqual(failsWith("lease-lost"));
      const second = await store().lease("k", "b", 1_000, T0 + 1);
      await store().release(first);
      expect(await store().holder("k", T0 + 2)).toEqual(second);
    });

    test("of many who ask at once, one gets it", async () => {
      const asked = Array.from({ length: 20 }, (_, i) => store().lease("k", `owner-${i}`, 1_000, T0));
      const granted = (await Promise.all(asked)).filter((lease) => lease !== null);
      expect(granted).toHaveLength(1);
    });
  });
}

function inbox(make: () => Promise<Subject>): void {
  describe("commands", () => {
    const store = subjectPerTest(make);

    test("wait in order until they are acknowledged, and are gone then", async () => {
      await store().create(newRun("r-1"));
      await store().create(newRun("r-2"));
      await store().submit("r-1", { command: "pause", by: "ada" });
      await store().submit("r-2", { command: "abort", by: "eve" });
      await store().submit("r-1", { command: "promote", by: "bob", toWave: 2, full: true });
      await store().submit("r-1", { command: "retry", by: "bob", hosts: ["node-01", "näde-✓"] });
      const waiting = await store().pending("r-1");
      expect(waiting.map(({ id: _, ...command }) => command)).toEqual([
        { command: "pause", by: "ada" },
        { command: "promote", by: "bob", toWave: 2, full: true },
        { command: "retry", by: "bob", hosts: ["node-01", "näde-✓"] },
      ]);
      const [first, second] = waiting.map((command) => command.id);
      if (first === undefined || second === undefined) throw new Error("no ids");
      await store().acknowledge("r-1", [first]);
      await store().acknowledge("r-1", [first]);
      await store().acknowledge("r-2", [second]);
      expect((await store().pending("r-1")).map((c) => c.command)).toEqual(["promote", "retry"]);
      expect(await store().pending("r-2")).toHaveLength(1);
    });

    test("are acknowledged with the events they caused, or not at all", async () => {
      await store().create(newRun("r-1"));
      await store().submit("r-1", { command: "pause", by: "ada" });
      const ids = (await store().pending("r-1")).map((command) => command.id);
      const append = (at: number) => store().append("r-1", at, [log("x")], { now: T0, acknowledge: ids });
      await expect(append(7)).rejects.toEqual(failsWith("lease-lost"));
      expect(await store().pending("r-1")).toHaveLength(1);
      await append(0);
      expect(await store().pending("r-1")).toEqual([]);
    });

    test("to a run that does not exist are refused", async () => {
      const submitted = store().submit("r-none", { command: "pause", by: "ada" });
      await expect(submitted).rejects.toEqual(failsWith("rollout-not-found"));
      expect(await store().pending("r-none")).toEqual([]);
    });
  });
}

function hostRecords(make: () => Promise<Subject>): void {
  describe("hosts", () => {
    const store = subjectPerTest(make);

    test("merge what is given and forget what is given as undefined", async () => {
      const held = { reason: "disk", by: "ada", since: T0 };
      await store().putHost({ host: "node-02" });
      await store().putHost({ host: "node-01", seenAt: T0, revision: "a", held });
      await store().putHost({ host: "node-01", revision: "b", outcome: "updated", outcomeRun: "r-1" });
      expect((await store().hosts()).get("node-01")).toEqual({
        host: "node-01",
        seenAt: T0,
        revision: "b",
        held,
        outcome: "updated",
        outcomeRun: "r-1",
      });
      // As JavaScript callers may: the types ask them to spell a removal out.
      await store().putHost({ host: "node-01", held: undefined });
      const known = (await store().hosts()).get("node-01");
      expect(known).not.toHaveProperty("held");
      expect(known).toMatchObject({ revision: "b" });
      expect([...(await store().hosts()).keys()].sort()).toEqual(["node-01", "node-02"]);
    });

    test("are written with the events that say so, or not at all", async () => {
      const bodies = [log("said")];
      await store().create(newRun("r-1"));
      const hosts = [
        { host: "b", revision: "r2", held: undefined },
        { host: "a", revision: "r2" },
      ];
      await store().append("r-1", 0, bodies, { now: 1, hosts });
      expect(await store().hosts()).toEqual(
        new Map(["a", "b"].map((host) => [host, { host, revision: "r2" }])),
      );
      const late = store().append("r-1", 0, bodies, { now: 2, hosts: [{ host: "a", revision: "r9" }] });
      await expect(late).rejects.toMatchObject({ code: "lease-lost" });
      expect((await store().hosts()).get("a")).toEqual({ host: "a", revision: "r2" });
    });

    test("keep every field when many write at once", async () => {
      await Promise.all([
        store().putHost({ host: "n", seenAt: 1 }),
        store().putHost({ host: "n", current: "/nix/store/x" }),
        store().putHost({ host: "n", generation: 7 }),
        store().putHost({ host: "n", outcomeRun: "r-1" }),
      ]);
      expect((await store().hosts()).get("n")).toEqual({
        host: "n",
        seenAt: 1,
        current: "/nix/store/x",
        generation: 7,
        outcomeRun: "r-1",
      });
    });
  });
}
