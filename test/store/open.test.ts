import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryStore } from "../../src/store/memory.ts";
import { defaultStatePath, openStore } from "../../src/store/open.ts";
import { newRun } from "../contract/store-bodies.ts";
import { failsWith } from "../contract/store-subject.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fleet-store-"));
});
afterEach(() => rm(directory, { recursive: true }));

describe("openStore", () => {
  test("puts each fleet's state where XDG says", () => {
    expect(defaultStatePath("gent", { XDG_STATE_HOME: "/s", HOME: "/h" })).toBe(
      "/s/macula-fleet/gent/state.db",
    );
    for (const env of [
      { HOME: "/h" },
      { HOME: "/h", XDG_STATE_HOME: "" },
      { HOME: "/h", XDG_STATE_HOME: "rel" },
    ]) {
      expect(defaultStatePath("gent", env)).toBe("/h/.local/state/macula-fleet/gent/state.db");
    }
    for (const fleet of ["", "..", "a/b", "-x"]) {
      expect(() => defaultStatePath(fleet, { HOME: "/h" })).toThrow(/fleet name/);
    }
  });

  test("finds the same file by default, by path and by URL", async () => {
    const env = { XDG_STATE_HOME: directory, HOME: directory };
    const path = join(directory, "macula-fleet", "gent", "state.db");
    {
      await using store = await openStore(undefined, { env, fleet: "gent" });
      await store.create(newRun("r-1"));
    }
    expect((await stat(path)).isFile()).toBe(true);
    for (const url of [path, `sqlite:${path}`, `sqlite://${path}`, "~/macula-fleet/gent/state.db"]) {
      await using store = await openStore(url, { env });
      expect(await store.run("r-1")).not.toBeNull();
    }
  });

  test("opens memory, and refuses what it does not know", async () => {
    expect(await openStore("memory:", { env: {} })).toBeInstanceOf(MemoryStore);
    for (const url of ["mysql://h/db", "https://h", "sqlite:"]) {
      await expect(openStore(url, { env: {} })).rejects.toEqual(failsWith("usage"));
    }
  });
});
