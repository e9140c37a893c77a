import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { archOf, buildCommand, imageAttribute } from "./build.ts";
import { bootCheck, qemuArguments, qemuProgram, verdictOf } from "./qemu.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-qemu-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it("boots a medium or a disk without writing to it or reaching a network", () => {
  const iso = qemuArguments({ arch: "x86_64-linux", image: "/i.iso", memory: 2048, kvm: false }).join(" ");
  expect(iso).toContain("file=/i.iso,format=raw,media=cdrom,readonly=on");
  expect(iso).toContain("-smp 1 -m 2048");
  expect(iso).toContain("user,id=net0,restrict=on -device");
  const watched = qemuArguments({
    arch: "x86_64-linux",
    image: "/i.iso",
    memory: 2048,
    kvm: false,
    sshPort: 2022,
  });
  expect(watched).toContain("user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:2022-:22");
  const card = qemuArguments({
    arch: "aarch64-linux",
    image: "/c.img",
    memory: 1024,
    kvm: true,
    firmware: "/fw",
  }).join(" ");
  expect(card).toContain("-machine virt -accel kvm -cpu host");
  expect(card).toContain("-bios /fw");
  expect(card).toContain("snapshot=on");
  expect(qemuProgram("aarch64-linux")).toBe("qemu-system-aarch64");
});

it.each([
  ["[\u001b[0;32m  OK  \u001b[0m] Reached target \u001b[0;1;39mMulti-User System\u001b[0m.", "booted"],
  ["[  OK  ] Started SSH Daemon.", "booted"],
  ["nixos login: ", "booted"],
  ["[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs", "failed"],
  ["You are in emergency mode. After logging in", "failed"],
  ["[  OK  ] Reached target Local File Systems.", null],
])("%s: %s", (line, verdict) => expect(verdictOf(line)).toBe(verdict));

async function boot(script: string, deadlineMs = 10_000, sshPort?: number) {
  const program = join(dir, "qemu");
  await writeFile(program, `#!/bin/sh\n${script}\n`);
  await chmod(program, 0o755);
  return bootCheck({
    program,
    args: [],
    deadlineMs,
    ...(sshPort === undefined ? {} : { sshPort }),
    log: join(dir, "log"),
    signal: new AbortController().signal,
  });
}

it("ends the machine as soon as it has come up, or not", async () => {
  await boot('echo "Started SSH Daemon."; exec sleep 300');
  expect(await readFile(join(dir, "log"), "utf8")).toContain("Started SSH Daemon.");
  await expect(boot('echo "Kernel panic - not syncing"; exec sleep 300')).rejects.toMatchObject({
    code: "health-failed",
    message: expect.stringContaining("Kernel panic"),
  });
  await expect(boot("echo Booting; exec sleep 300", 300)).rejects.toMatchObject({
    message: expect.stringContaining("did not come up within"),
  });
  await expect(boot("echo no disk; exit 1")).rejects.toMatchObject({
    message: expect.stringContaining("no disk"),
  });
  await expect(boot("echo kvm.c:3183: Assertion failed; exit 134")).rejects.toMatchObject({
    hint: expect.stringContaining("--no-kvm"),
  });
}, 30_000);

/** Answers every connection with one line, after as many silent closes. */
async function server(line: string, silent = 0): Promise<AsyncDisposable & { readonly port: number }> {
  let seen = 0;
  const listener = createServer((socket) => {
    if (seen++ < silent) socket.destroy();
    else socket.end(line);
  });
  const port = await new Promise<number>((resolve) =>
    listener.listen(0, "127.0.0.1", () => resolve((listener.address() as AddressInfo).port)),
  );
  return { port, [Symbol.asyncDispose]: () => new Promise((done) => listener.close(() => done())) };
}

it("takes an SSH server that answers for the proof, and says which", async () => {
  await using ssh = await server("SSH-2.0-OpenSSH_10.0\r\n", 2);
  // Its console says that it has come up; that alone proves no login.
  expect(await boot('echo "Started SSH Daemon."; exec sleep 300', 20_000, ssh.port)).toBe("OpenSSH_10.0");
  await using other = await server("220 mail\r\n");
  await expect(boot('echo "Started SSH Daemon."; exec sleep 300', 1_500, other.port)).rejects.toMatchObject({
    code: "health-failed",
    message: expect.stringContaining("its SSH did not answer within"),
  });
}, 30_000);

it("builds images of the fleet's flake", () => {
  expect(imageAttribute("iso", "x86_64-linux")).toBe("packages.x86_64-linux.iso");
  expect(imageAttribute("sdcard", "aarch64-linux", { name: "pi-01" })).toBe(
    'legacyPackages.aarch64-linux.hosts."pi-01".sdcard',
  );
  const call = { flake: "./flake", attribute: "packages.x86_64-linux.iso", link: "/out" };
  expect(buildCommand({ ...call, inputs: { inventory: "path:/resolved" } }).slice(2)).toEqual([
    "build",
    "./flake#packages.x86_64-linux.iso",
    "--out-link",
    "/out",
    "--override-input",
    "inventory",
    "path:/resolved",
  ]);
  expect(archOf("sdcard", undefined)).toBe("aarch64-linux");
  expect(() => archOf("sdcard", "x86_64-linux")).toThrow("aarch64");
  expect(() => archOf("iso", undefined, { name: "a", arch: "x86_64-linux" })).toThrow("same for all hosts");
});
