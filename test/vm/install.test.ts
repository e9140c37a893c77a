/**
 * The real nixos-anywhere, unchanged, through `install`: on a machine with its own kernel, disk and boot loader.
 * MACULA_NIXOS_ANYWHERE names it (src/nixos-anywhere.sh of its repository).
 */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { ANYWHERE, onVirtualMachine } from "./available.ts";
import { makeDebianDisk } from "./disk.ts";
import { durations } from "./durations.ts";
import { type Machine, startMachine } from "./machine.ts";
import { anOperator, DISK_SERIAL, kexecTarball, NAME, type Operator } from "./operator.ts";
import { KERNEL_PARAMS } from "./subject.ts";

onVirtualMachine(
  "a virtual machine with Debian, and the real nixos-anywhere",
  () => {
    const stop = new AbortController();
    const { signal } = stop;
    let operator: Operator;
    let machine: Machine;
    let kexec: string;
    let hostKey: string;
    let hash: string;
    let toplevel: string;
    const at = () => ({ address: "127.0.0.1", port: machine.port });
    const install = (...more: readonly string[]) =>
      operator.run(["install", "--nixos-anywhere", ANYWHERE, "--kexec", kexec, ...more]);

    beforeAll(async () => {
      operator = await anOperator(signal);
      const disk = join(operator.dir, "disk.raw");
      kexec = await kexecTarball(operator.base, operator.dir, signal);
      hostKey = await makeDebianDisk(
        operator.base,
        disk,
        {
          authorizedKey: operator.publicKey,
          network: ["Address=10.0.2.15/24", "Gateway=10.0.2.2"],
          kernelParams: KERNEL_PARAMS,
        },
        signal,
      );
      machine = await startMachine(operator.dir, {
        firmware: "bios",
        disk,
        serial: DISK_SERIAL,
        memory: 2048,
      });
      await operator.writeInventory(at());
      await operator.trust([`[127.0.0.1]:${machine.port} ${hostKey}`]);
    });
    afterAll(async () => {
      stop.abort();
      await machine?.[Symbol.asyncDispose]();
      await operator?.[Symbol.asyncDispose]();
    });
    afterEach(async (context) => {
      if (context.task.result?.state !== "fail" || machine === undefined) return;
      console.error(`serial console of the machine, last lines:\n${(await machine.serial()).slice(-6000)}`);
    });

    it("is seen as a Debian whose disk would be erased", async () => {
      const start = performance.now();
      let seen = await install("--check", "-o", "json");
      while (seen.code === 4 && performance.now() - start < 600_000)
        seen = await install("--check", "-o", "json");
      expect(seen.code, seen.all).toBe(0);
      const plan = JSON.parse(seen.stdout);
      hash = plan.hash;
      toplevel = plan.targets[NAME].toplevel;
      expect(plan.targets[NAME]).toMatchObject({
        runs: "debian 13",
        inInstaller: false,
        disk: { path: `/dev/disk/by-id/virtio-${DISK_SERIAL}`, serial: DISK_SERIAL },
      });
    });

    it("does nothing without the hash of what was looked at", async () => {
      const refused = await install("--yes");
      expect(refused.code, refused.all).toBe(64);
      expect(refused.all).toContain(hash);
    });

    it("is installed by all phases: kexec, disko, install, reboot, verify", async () => {
      const done = await install("--yes", "--plan-hash", hash, "-o", "ndjson");
      expect(done.code, done.all).toBe(0);
      const seconds = durations(done.stdout);
      console.info(
        `  measured: ${[...seconds].map(([state, s]) => `${state} ${s.toFixed(0)} s`).join(", ")}`,
      );
      expect([...seconds.keys()]).toEqual(["kexec", "partitioning", "installing", "restarting", "verifying"]);
    });

    it("runs from its disk what was built, under the key that was made for it", async () => {
      // By plain OpenSSH, with the key that was pinned.
      expect(await operator.ssh(at(), "readlink /run/current-system")).toBe(toplevel);
      expect(await operator.ssh(at(), "cat /proc/cmdline")).toContain(`init=${toplevel}/init`);
      expect(await operator.trusted()).not.toContain(hostKey.split(" ")[1]);
      expect(await operator.ssh(at(), "findmnt -n -o SOURCE,FSTYPE /")).toMatch(/^\/dev\/vda2 +ext4/);
      expect(await operator.ssh(at(), "systemctl is-system-running")).toBe("running");
      expect(await operator.ssh(at(), "cat /etc/os-release")).not.toContain("VARIANT_ID");
    });
  },
  { anywhere: true },
);
