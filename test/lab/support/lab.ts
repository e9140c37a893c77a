import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSshDriver } from "../../../src/host/ssh-driver.ts";
import { loadInventory, requireValid } from "../../../src/inventory/load.ts";
import type { Host, Inventory } from "../../../src/inventory/model.ts";
import { targetOf } from "../../../src/inventory/target.ts";
import { systemClock } from "../../../src/kernel/clock.ts";
import { type Lab, type LabSettings, startLab } from "../../../src/lab/lab.ts";
import { createSimClosureSource } from "../../../src/lab/sim-source.ts";
import { SessionPool } from "../../../src/transport/pool.ts";
import { createSshTransport } from "../../../src/transport/ssh.ts";

export async function temporaryDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), "macula-lab-"));
}

async function inventoryOf(dir: string): Promise<Inventory> {
  const path = join(dir, "inventory.yaml");
  return requireValid(await loadInventory({ path, cwd: dir, env: {}, now: Date.now() }));
}

/** A lab in this process, and the product's own way to talk to it. */
export async function labInProcess(settings: Omit<LabSettings, "dir">, env: Record<string, string> = {}) {
  const dir = await temporaryDir();
  const lab: Lab = await startLab({ dir, ...settings }, systemClock);
  const inventory = await inventoryOf(dir);
  const transport = createSshTransport({ env: { HOME: dir, ...env } });
  const pool = new SessionPool({ transport });
  const closures = createSimClosureSource(dir);
  const driver = createSshDriver({ pool, closures, targetOf: (host) => targetOf(host, inventory) });
  return {
    dir,
    lab,
    inventory,
    transport,
    pool,
    closures,
    driver,
    host(name: string): Host {
      const found = inventory.hosts.find((h) => h.name === name);
      if (!found) throw new Error(`no host ${name}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      await lab.stop({ keep: false });
      await rm(dir, { recursive: true, force: true });
    },
  };
}
export type TestLab = Awaited<ReturnType<typeof labInProcess>>;

export async function waitFor<T>(what: string, ask: () => Promise<T | null | undefined | false>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
