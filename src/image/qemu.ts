/** Boots an image in a virtual machine and watches its serial console. The command line is pure. */
import { open, rm } from "node:fs/promises";
import { execa } from "execa";
import { FleetError } from "../errors.ts";
import type { Arch } from "../inventory/model.ts";
import { sshServer } from "./ssh-server.ts";

export interface Vm {
  readonly arch: Arch;
  readonly image: string;
  /** UEFI firmware file; needed for aarch64, and for x86_64 in UEFI mode. */
  readonly firmware?: string;
  /** MiB. */
  readonly memory: number;
  readonly kvm: boolean;
  /** Of this machine, forwarded to its SSH. */
  readonly sshPort?: number;
}

export const qemuProgram = (arch: Arch): string => `qemu-system-${arch.replace("-linux", "")}`;

/** The image is never written to (`snapshot`), nothing of this network is reached (`restrict`), the console is stdout. */
export function qemuArguments(vm: Vm): readonly string[] {
  const x86 = vm.arch === "x86_64-linux";
  const iso = vm.image.endsWith(".iso");
  return [
    ...["-machine", x86 ? "q35" : "virt", "-accel", vm.kvm ? "kvm" : "tcg,thread=multi"],
    ...["-cpu", vm.kvm ? "host" : x86 ? "qemu64" : "cortex-a72"],
    // With two virtual processors under TCG some kernels hang.
    ...["-smp", vm.kvm ? "2" : "1", "-m", String(vm.memory)],
    ...(vm.firmware === undefined ? [] : ["-bios", vm.firmware]),
    ...(iso
      ? ["-drive", `file=${vm.image},format=raw,media=cdrom,readonly=on`, "-boot", "d"]
      : ["-drive", `file=${vm.image},format=raw,if=virtio,snapshot=on`]),
    "-netdev",
    `user,id=net0,restrict=on${vm.sshPort === undefined ? "" : `,hostfwd=tcp:127.0.0.1:${vm.sshPort}-:22`}`,
    ...["-device", "virtio-net-pci,netdev=net0"],
    ...["-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"],
  ];
}

export type Verdict = "booted" | "failed" | null;

/** What a line of the console says of the boot. */
export function verdictOf(line: string): Verdict {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a console colours its lines
  const text = line.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "");
  if (
    /Kernel panic|You are in emergency mode|No bootable device|Failed to mount .*\/sysroot|timed out waiting for device/i.test(
      text,
    )
  )
    return "failed";
  if (
    /(Reached target|Started).*(Multi-User System|multi-user\.target|OpenSSH Daemon|SSH Daemon)|\blogin: ?$/i.test(
      text,
    )
  )
    return "booted";
  return null;
}

export interface BootCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly deadlineMs: number;
  /** The console is kept here: the first thing to look at after a failure. */
  readonly log: string;
  readonly signal: AbortSignal;
  /** It has come up when its SSH answers here; absent: when its console says so. */
  readonly sshPort?: number;
}

/** Resolves when it has come up, with the name of its SSH server where that was waited for. Throws `tool-missing`, `health-failed`. */
export async function bootCheck(call: BootCall): Promise<string | null> {
  await rm(call.log, { force: true });
  await using log = await open(call.log, "w", 0o600);
  const over = new AbortController();
  const child = execa(call.program, call.args, {
    cancelSignal: AbortSignal.any([call.signal, over.signal]),
    stdin: "ignore",
    all: true,
    buffer: false,
    reject: false,
    forceKillAfterDelay: 2_000,
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    over.abort();
  }, call.deadlineMs);
  let verdict: Verdict = null;
  let ssh: string | null = null;
  let last = "";
  const answer =
    call.sshPort === undefined
      ? undefined
      : sshServer(call.sshPort, AbortSignal.any([call.signal, over.signal])).then(
          (name) => {
            ssh = name;
            over.abort();
          },
          () => undefined,
        );
  try {
    for await (const output of child.iterable({ from: "all" })) {
      const line = String(output);
      await log.write(`${line}\n`);
      if (line.trim() !== "") last = line.trim();
      verdict ??= verdictOf(line);
      if (verdict === "failed" || (verdict === "booted" && call.sshPort === undefined)) over.abort();
    }
  } catch {
    // Ended by us, which the verdict tells, or by the caller.
  } finally {
    clearTimeout(timer);
  }
  const result = await child;
  over.abort();
  await answer;
  call.signal.throwIfAborted();
  if (ssh !== null || (verdict === "booted" && call.sshPort === undefined)) return ssh;
  if (result.code === "ENOENT")
    throw new FleetError("tool-missing", `${call.program} is not on this machine`, { hint: "install QEMU" });
  const what = verdict === "booted" ? "came up, but its SSH did not answer" : "did not come up";
  const how = late ? `${what} within ${Math.round(call.deadlineMs / 1000)} s` : what;
  throw new FleetError("health-failed", `the image ${how}${last === "" ? "" : `; its last words: ${last}`}`, {
    hint: /\bkvm\b/i.test(last)
      ? "this machine's hardware help does not work for it: try again with --no-kvm"
      : `its console is in ${call.log}`,
  });
}
