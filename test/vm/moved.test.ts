/** A router that gives the machine another address after kexec, and another one after its reboot: found by mDNS, believed by its key. */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { ANYWHERE, onVirtualMachine } from "./available.ts";
import { makeDebianDisk } from "./disk.ts";
import { durations } from "./durations.ts";
import { type Machine, startMachine } from "./machine.ts";
import { aNetwork, type Network } from "./network.ts";
import { anOperator, DISK_SERIAL, kexecTarball, NAME, type Operator } from "./operator.ts";
import { KERNEL_PARAMS } from "./subject.ts";

const BEFORE = "10.77.0.50";
const INSTALLER = "10.77.0.77";
const AFTER = "10.77.0.88";
const PATIENCE_MS = 600_000;

onVirtualMachine(
  "a virtual machine that changes its address",
  () => {
    const stop = new AbortController();
    const { signal } = stop;
    let operator: Operator;
    let network: Network;
    let machine: Machine;
    let kexec: string;
    beforeAll(async () => {
      operator = await anOperator(signal);
      network = await aNetwork(operator.dir, signal);
      const disk = join(operator.dir, "disk.raw");
      kexec = await kexecTarball(operator.base, operator.dir, signal);
      const content = {
        authorizedKey: operator.publicKey,
        network: ["DHCP=yes"],
        kernelParams: KERNEL_PARAMS,
      };
      const hostKey = await makeDebianDisk(operator.base, disk, content, signal);
      await network.lease(BEFORE);
      machine = await startMachine(operator.dir, {
        ...{ firmware: "bios", disk, serial: DISK_SERIAL, memory: 2048, cable: network.cable },
      });
      await operator.writeInventory({ address: BEFORE, port: 22 });
      await operator.trust([`${BEFORE} ${hostKey}`]);
    });
    afterAll(async () => {
      stop.abort();
      await machine?.[Symbol.asyncDispose]();
      await network?.[Symbol.asyncDispose]();
      await operator?.[Symbol.asyncDispose]();
    });
    afterEach(async (context) => {
      if (context.task.result?.state !== "fail" || machine === undefined) return;
      console.error(`serial console of the machine, last lines:\n${(await machine.serial()).slice(-6000)}`);
    });

    it("is found again twice, and installed", async () => {
      const within = { within: network.cable.namespace };
      const install = ["install", "--nixos-anywhere", ANYWHERE, "--kexec", kexec];
      const start = performance.now();
      const look = () => operator.run([...install, "--check", "-o", "json"], within);
      let seen = await look();
      while (seen.code === 4 && performance.now() - start < PATIENCE_MS) seen = await look();
      expect(seen.code, seen.all).toBe(0);
      const { hash, targets } = JSON.parse(seen.stdout);

      await network.lease(INSTALLER);
      let moved: Promise<void> | undefined;
      const done = await operator.run([...install, "--yes", "--plan-hash", hash, "-o", "ndjson"], {
        ...within,
        onStdout: (text) => {
          if (text.includes('"to":"installing"')) moved ??= network.lease(AFTER);
        },
      });
      await moved;
      expect(done.code, done.all).toBe(0);
      const seconds = durations(done.stdout);
      console.info(`  measured: ${[...seconds].map(([s, t]) => `${s} ${t.toFixed(0)} s`).join(", ")}`);
      expect(done.stdout).toContain(`its installer answers at ${INSTALLER}:22`);
      expect(done.stdout).toContain(`runs the new system at ${AFTER}, not at ${BEFORE}: correct its address`);

      // The key that was made for it is pinned under the address that is to be corrected.
      await operator.writeInventory({ address: AFTER, port: 22 });
      const key = /^10\.77\.0\.50 (.*)$/m.exec(await operator.trusted())?.[1];
      await operator.trust([`${AFTER} ${key}`]);
      const at = { address: AFTER, port: 22 };
      expect(await operator.ssh(at, "readlink /run/current-system", within.within)).toBe(
        targets[NAME].toplevel,
      );
    });
  },
  { anywhere: true },
);
