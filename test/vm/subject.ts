/** A virtual machine with its own kernel and boot loader, and the real driver's view of it. */
import { appendFile, copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { createSshDriver, type SshDriver } from "../../src/host/ssh-driver.ts";
import type { Host } from "../../src/inventory/model.ts";
import { type ReleaseFault, releaseWith } from "../../src/lab/docker/flake-release.ts";
import { commitRelease, createLabClosureSource, createLabFlake } from "../../src/lab/docker/lab-flake.ts";
import { SessionPool } from "../../src/transport/pool.ts";
import { createSshTransport } from "../../src/transport/ssh.ts";
import { aHost } from "../support/fleet.ts";
import { ensureBase } from "./base.ts";
import { makeDisk } from "./disk.ts";
import { type Machine, startMachine } from "./machine.ts";
import type { Loader } from "./sectors.ts";

/** Names of devices as the lab's systems expect them, a console to read, and nothing that costs an emulator time. */
export const KERNEL_PARAMS = ["console=ttyS0", "net.ifnames=0", "mitigations=off", "nokaslr", "tsc=unstable"];

export interface VmSubject extends AsyncDisposable {
  readonly driver: SshDriver;
  readonly host: Host;
  readonly machine: Machine;
  /** Builds a new system, without copying it; a store path. */
  make(fault: ReleaseFault): Promise<string>;
  /** stdout of a shell line run as root, over a connection of its own. */
  ssh(line: string): Promise<string>;
}

/** Switched on, not yet booted. Everything is gone when it is disposed. */
export async function vmSubject(loader: Loader, signal: AbortSignal): Promise<VmSubject> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "mf-vm-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const base = await ensureBase(signal);
  const identityFile = join(dir, "id");
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", identityFile]);

  const name = "node-01";
  const flake = join(dir, "flake");
  await createLabFlake(flake, [{ name, arch: "x86_64-linux" }], signal);
  await mkdir(join(flake, "boot"));
  for (const part of ["kernel", "initrd"] as const)
    await copyFile(base.file(part), join(flake, "boot", part));
  const closures = createLabClosureSource(flake);
  let made = 0;
  const build = async (host: Host, fault: ReleaseFault): Promise<string> => {
    const release = `t${++made}`;
    const kernelParams = [...KERNEL_PARAMS, `lab.release=${release}`, ...(fault.kernelParams ?? [])];
    await commitRelease(flake, releaseWith(release, { ...fault, kernelParams }), signal);
    const built = await closures.build([host], await closures.revision(release, { signal }), { signal });
    const toplevel = built.get(name)?.toplevel;
    if (toplevel === undefined) throw new Error(`no system for ${name}`);
    return toplevel;
  };

  const system = await build(aHost(name), {});
  const disk = join(dir, "disk.raw");
  const paths = (await closures.requisites(system, { signal })).map((p) => p.path);
  const authorizedKey = (await execa("cat", [`${identityFile}.pub`])).stdout;
  const closure = closures.export(paths, { signal });
  await makeDisk(base, disk, { loader, system, closure, authorizedKey }, signal);

  const firmware = loader === "grub" ? "bios" : "uefi";
  const machine = stack.use(await startMachine(dir, { disk, firmware }));
  const host = aHost(name, "peer", { user: "root", port: machine.port });
  const knownHostsFile = join(dir, "known_hosts");
  await appendFile(knownHostsFile, "");
  const pool = stack.use(new SessionPool({ transport: createSshTransport({ env: { HOME: dir } }) }));
  const driver = createSshDriver({
    pool,
    closures,
    targetOf: () => ({
      ...{
        name,
        address: "127.0.0.1",
        port: machine.port,
        user: "root",
        hostKeys: [],
        identityFile,
        via: [],
      },
      ...{ knownHostsFile, hostKeyPolicy: "accept-new", connectTimeoutMs: 30_000 },
    }),
  });
  const options = [
    ...["-i", identityFile, "-p", String(machine.port), "-F", "none", "-o", "BatchMode=yes"],
    ...["-o", "StrictHostKeyChecking=accept-new", "-o", `UserKnownHostsFile=${knownHostsFile}`],
  ];
  const owned = stack.move();
  return {
    driver,
    host,
    machine,
    make: (fault) => build(host, fault),
    ssh: async (line) =>
      (await execa("ssh", [...options, "root@127.0.0.1", line], { stdin: "ignore" })).stdout,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
