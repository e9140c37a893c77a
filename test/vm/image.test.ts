/** Images, for real: built by Nix, written to a disk and read back, booted by both firmwares, and installed from. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { ANYWHERE, onVirtualMachine } from "./available.ts";
import { durations } from "./durations.ts";
import { type Machine, startMachine } from "./machine.ts";
import { anOperator, DISK_SERIAL, NAME, type Operator } from "./operator.ts";

const PATIENCE_MS = 600_000;

onVirtualMachine(
  "an installer image",
  () => {
    const stop = new AbortController();
    const { signal } = stop;
    let operator: Operator;
    let image: string;
    let stick: string;
    let loop: string;
    let machine: Machine | undefined;
    const since = (start: number) => `${((performance.now() - start) / 1000).toFixed(0)} s`;
    const say = (text: string) => console.info(`  measured: ${text}`);
    const root = (file: string, ...args: readonly string[]) => execa(file, args, { cancelSignal: signal });
    const boots = async (file: string, firmware: readonly string[]) => {
      const start = performance.now();
      const tested = await operator.run(["image", "test", file, "--no-kvm", ...firmware]);
      expect(tested.code, tested.all).toBe(0);
      expect(tested.stdout).toMatch(/comes up: OpenSSH_\S+ answers/);
      say(`image test ${firmware.join(" ")} until SSH answers: ${since(start)}`);
    };

    beforeAll(async () => {
      operator = await anOperator(signal, { medium: true });
      await operator.writeInventory({ address: "127.0.0.1", port: 22 });
      stick = join(operator.dir, "stick.raw");
      await root("truncate", "-s", "200M", stick);
      loop = (await root("losetup", "--find", "--show", stick)).stdout;
    });
    afterAll(async () => {
      stop.abort();
      await machine?.[Symbol.asyncDispose]();
      if (loop !== undefined) await execa("losetup", ["--detach", loop], { reject: false });
      await operator?.[Symbol.asyncDispose]();
    });
    afterEach(async (context) => {
      if (context.task.result?.state !== "fail" || machine === undefined) return;
      console.error(`serial console of the machine, last lines:\n${(await machine.serial()).slice(-6000)}`);
    });

    it("is built by Nix from the fleet's flake, with the inventory's keys", async () => {
      const start = performance.now();
      const built = await operator.run(["image", "build", "iso", "-o", "json"]);
      expect(built.code, built.all).toBe(0);
      image = JSON.parse(built.stdout).file;
      expect(image).toMatch(/\.iso$/);
      say(`image build iso: ${since(start)}`);
    });

    it("boots as a disc by UEFI", () => boots(image, []));

    it("is not written to a disk that is in use, too small, or this machine's", async () => {
      const write = (device: string) => operator.run(["image", "write", image, device, "--yes"]);
      const [mount, small] = [join(operator.dir, "mnt"), join(operator.dir, "small.raw")];
      await root("mkdir", mount);
      await root("mkfs.ext4", "-q", loop);
      await root("mount", loop, mount);
      try {
        const mounted = await write(loop);
        expect(mounted.code, mounted.all).toBe(1);
        expect(mounted.all).toContain(`${loop} is mounted at ${mount}; nothing is written`);
      } finally {
        await root("umount", mount);
      }
      await root("truncate", "-s", "1M", small);
      const tiny = (await root("losetup", "--find", "--show", small)).stdout;
      try {
        expect((await write(tiny)).all).toMatch(/holds 1048576 bytes, the image has \d+; nothing is written/);
      } finally {
        await root("losetup", "--detach", tiny);
      }
      const source = (await root("findmnt", "--noheadings", "--output", "SOURCE", "/")).stdout;
      expect((await write(source)).all).toMatch(/nothing is written/);
      expect((await root("blkid", "-o", "value", "-s", "TYPE", loop)).stdout).toBe("ext4");
    });

    it("is written to a disk, and read back from it", async () => {
      const start = performance.now();
      const written = await operator.run(["image", "write", image, loop, "--yes", "-o", "json"]);
      expect(written.code, written.all).toBe(0);
      say(`image write, with reading back: ${since(start)}`);
      const content = await readFile(image);
      const sha256 = createHash("sha256").update(content).digest("hex");
      expect(JSON.parse(written.stdout)).toEqual({ device: loop, bytes: content.length, sha256 });
      await root("sync");
      const onDisk = (await readFile(stick)).subarray(0, content.length);
      expect(createHash("sha256").update(onDisk).digest("hex")).toBe(sha256);
    });

    it("boots from that disk by BIOS", () => boots(stick, ["--firmware", "bios"]));

    it.skipIf(ANYWHERE === "")(
      "installs an empty machine from the stick, without kexec and without a hash",
      async () => {
        const disk = join(operator.dir, "disk.raw");
        await root("truncate", "-s", "3G", disk);
        const start = performance.now();
        machine = await startMachine(operator.dir, {
          ...{ firmware: "bios", disk, serial: DISK_SERIAL, stick, memory: 2048 },
        });
        const at = { address: "127.0.0.1", port: machine.port };
        await operator.writeInventory(at);
        let key: string | undefined;
        while (key === undefined) {
          if (performance.now() - start > PATIENCE_MS) throw new Error("the installer shows no host key");
          if (machine.trouble() !== "") throw new Error(machine.trouble());
          await new Promise((resolve) => setTimeout(resolve, 1000));
          key = /installer host key: (ssh-ed25519 \S+)/.exec(await machine.serial())?.[1];
        }
        await operator.trust([`[127.0.0.1]:${machine.port} ${key}`]);
        const check = ["install", "--check", "-o", "json"];
        let seen = await operator.run(check);
        while (seen.code === 4 && performance.now() - start < PATIENCE_MS) seen = await operator.run(check);
        expect(seen.code, seen.all).toBe(0);
        say(`boot from the stick until it can be installed: ${since(start)}`);
        const plan = JSON.parse(seen.stdout);
        expect(plan.targets[NAME]).toMatchObject({
          inInstaller: true,
          disk: { serial: DISK_SERIAL, contents: [] },
        });

        const done = await operator.run([
          ...["install", "--yes", "--nixos-anywhere", ANYWHERE, "-o", "ndjson"],
        ]);
        expect(done.code, done.all).toBe(0);
        const seconds = durations(done.stdout);
        say([...seconds].map(([state, s]) => `${state} ${s.toFixed(0)} s`).join(", "));
        expect([...seconds.keys()]).toEqual(["partitioning", "installing", "restarting", "verifying"]);
        expect(await operator.ssh(at, "readlink /run/current-system")).toBe(plan.targets[NAME].toplevel);
        expect(await operator.ssh(at, "cat /proc/cmdline")).toContain(
          `init=${plan.targets[NAME].toplevel}/init`,
        );
      },
    );
  },
  { tools: ["xorriso", "mformat", "losetup"] },
);
