/** One emulated machine: QEMU without hardware help, so that it runs wherever the tests do. */
import { copyFile, readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";

/** Where Debian's `ovmf` puts UEFI for virtual machines. */
const OVMF = "/usr/share/OVMF";

/** Parts of a machine; what is not named is as in every other one. */
export interface Hardware {
  readonly firmware: "bios" | "uefi";
  /** Raw image of its fixed disk. */
  readonly disk: string;
  readonly serial?: string;
  /** Raw image of a USB stick: it boots from it at first; somebody pulls it out when the machine restarts. */
  readonly stick?: string;
  /** MiB; default 1024. */
  readonly memory?: number;
  /** Its cable's other end, in a network namespace; default: a network of its own, SSH forwarded to a local port. */
  readonly cable?: { readonly namespace: string; readonly tap: string };
}

export const MAC = "52:54:00:12:34:56";

export interface Machine extends AsyncDisposable {
  /** On 127.0.0.1: its SSH, unless it has a cable. */
  readonly port: number;
  /** Takes the power away and gives it back: what the system had not yet written is lost. */
  powerCycle(): void;
  /** What a reset button or a watchdog does. */
  reset(): Promise<void>;
  /** Everything it printed since it was made. */
  serial(): Promise<string>;
  /** Why its emulator gave up; empty: it did not. */
  trouble(): string;
}

/** Switches it on; returns before it has booted. `dir`: for its sockets and its serial log. */
export async function startMachine(dir: string, parts: Hardware): Promise<Machine> {
  const port = await freePort();
  const control = join(dir, "qmp");
  const log = join(dir, "serial.log");
  const firmware = parts.firmware === "bios" ? [] : await uefi(dir);
  const powerOn = (now: Hardware) => startQemu(now, [...firmware, ...hardware(now, port, control, log)]);
  const { stick: _pulledOut, ...later } = parts;
  let on = true;
  let running = powerOn(parts);
  // A machine that restarts is a new process: a reset emulator keeps code of the boot before, and crawls through it.
  let trouble = "";
  const restarting = (async () => {
    while (on) {
      const ended = await running;
      if ((ended.exitCode ?? 0) !== 0) {
        trouble = `\nthe emulator gave up: ${ended.stderr}`;
        return;
      }
      if (on) running = powerOn(later);
    }
  })();
  const cut = () => running.kill("SIGKILL"); // no shutdown of any kind in the machine
  return {
    port,
    powerCycle: () => void cut(),
    reset: () => command(control, "system_reset"),
    trouble: () => trouble,
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

function hardware(parts: Hardware, port: number, control: string, log: string): readonly string[] {
  const { disk, serial, stick, memory = 1024, cable } = parts;
  return [
    // More than one processor hangs now and then under emulation.
    ...["-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "1", "-m", String(memory)],
    ...["-display", "none", "-no-reboot", "-no-user-config", "-nodefaults"],
    ...["-drive", `file=${disk},if=none,id=disk,format=raw,cache=unsafe`],
    ...["-device", `virtio-blk-pci,drive=disk,bootindex=1${serial === undefined ? "" : `,serial=${serial}`}`],
    ...(stick === undefined
      ? []
      : [
          ...["-drive", `file=${stick},if=none,id=stick,format=raw,cache=unsafe`],
          ...["-device", "qemu-xhci", "-device", "usb-storage,drive=stick,removable=on,bootindex=0"],
        ]),
    ...["-chardev", `file,id=serial,path=${log},append=on`, "-serial", "chardev:serial"],
    ...["-qmp", `unix:${control},server=on,wait=off`],
    "-netdev",
    cable === undefined
      ? `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`
      : `tap,id=net,ifname=${cable.tap},script=no,downscript=no`,
    ...["-device", `virtio-net-pci,netdev=net,romfile=,mac=${MAC}`, "-device", "virtio-rng-pci"],
  ];
}

function startQemu({ cable }: Hardware, args: readonly string[]) {
  const options = { stdin: "ignore", stdout: "ignore", reject: false } as const;
  const qemu = "qemu-system-x86_64";
  return cable === undefined
    ? execa(qemu, args, options)
    : execa("ip", ["netns", "exec", cable.namespace, qemu, ...args], options);
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
