import { MemoryStore } from "../../src/store/memory.ts";
import { storeContract } from "../contract/store.ts";

storeContract("memory", async () => {
  const store = new MemoryStore();
  return { store, again: async () => store, dispose: async () => {} };
});
