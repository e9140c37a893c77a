/** One emulated machine: QEMU without hardware help, so that it runs wherever the tests do. */
import { copyFile, readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import type { Loader } from "./sectors.ts";

/** Where Debian's `ovmf` puts UEFI for virtual machines. */
const OVMF = "/usr/share/OVMF";

export interface Machine extends AsyncDisposable {
  /** On 127.0.0.1: its SSH. */
  readonly port: number;
  /** Takes the power away and gives it back: what the system had not yet written is lost. */
  powerCycle(): void;
  /** What a reset button or a watchdog does. */
  reset(): Promise<void>;
  /** Everything it printed since it was made. */
  serial(): Promise<string>;
}

/** Switches it on; returns before it has booted. `dir`: for its sockets and its serial log. */
export async function startMachine(dir: string, disk: string, loader: Loader): Promise<Machine> {
  const port = await freePort();
  const control = join(dir, "qmp");
  const log = join(dir, "serial.log");
  const firmware = loader === "grub" ? [] : await uefi(dir);
  const powerOn = () => startQemu([...firmware, ...hardware(disk, port, control, log)]);
  let on = true;
  let running = powerOn();
  // A machine that restarts is a new process: a reset emulator keeps code of the boot before, and crawls through it.
  let trouble = "";
  const restarting = (async () => {
    while (on) {
      const ended = await running;
      if ((ended.exitCode ?? 0) !== 0) {
        trouble = `\nthe emulator gave up: ${ended.stderr}`;
        return;
      }
      if (on) running = powerOn();
    }
  })();
  const cut = () => running.kill("SIGKILL"); // no shutdown of any kind in the machine
  return {
    port,
    powerCycle: () => void cut(),
    reset: () => command(control, "system_reset"),
    serial: async () => (await readFile(log, "latin1").catch(() => "")) + trouble,
    async [Symbol.asyncDispose]() {
      on = false;
      cut();
      await restarting;
    },
  };
}

/** Code and variables of the firmware, the latter the machine's own. */
async function uefi(dir: string): Promise<readonly string[]> {
  const variables = join(dir, "efi-variables");
  await copyFile(join(OVMF, "OVMF_VARS_4M.fd"), variables);
  return [
    ...["-drive", `if=pflash,format=raw,readonly=on,file=${join(OVMF, "OVMF_CODE_4M.fd")}`],
    ...["-drive", `if=pflash,format=raw,file=${variables}`],
  ];
}

function hardware(disk: string, port: number, control: string, log: string): readonly string[] {
  return [
    // More than one processor hangs now and then under emulation.
    ...["-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "1", "-m", "1024"],
    ...["-display", "none", "-no-reboot", "-no-user-config", "-nodefaults"],
    ...["-drive", `file=${disk},if=virtio,format=raw,cache=unsafe`],
    ...["-chardev", `file,id=serial,path=${log},append=on`, "-serial", "chardev:serial"],
    ...["-qmp", `unix:${control},server=on,wait=off`],
    ...["-netdev", `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`],
    ...["-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"],
  ];
}

function startQemu(args: readonly string[]) {
  return execa("qemu-system-x86_64", args, { stdin: "ignore", stdout: "ignore", reject: false });
}

/** One command over QEMU's machine protocol. */
function command(socket: string, execute: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    connection.on("error", reject);
    connection.on("close", () => resolve()); // a reset ends the emulator
    const send = (name: string) => connection.write(`${JSON.stringify({ execute: name })}\n`);
    let answers = 0;
    createInterface({ input: connection }).on("line", (line) => {
      const message: unknown = JSON.parse(line);
      if (typeof message !== "object" || message === null) return;
      if ("QMP" in message) send("qmp_capabilities");
      else if ("error" in message) reject(new Error(line));
      else if ("return" in message && ++answers === 1) send(execute);
      else if ("return" in message) {
        connection.end();
        resolve();
      }
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null
          ? resolve(address.port)
          : reject(new Error("no port")),
      );
    });
  });
}
