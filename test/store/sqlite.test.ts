import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import { storeContract } from "../contract/store.ts";

storeContract("sqlite", async () => {
  const directory = await mkdtemp(join(tmpdir(), "fleet-store-"));
  const path = join(directory, "state.db");
  let store = await openSqlite(path);
  return {
    store,
    again: async () => {
      await store[Symbol.asyncDispose]();
      store = await openSqlite(path);
      return store;
    },
    dispose: async () => {
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
});
