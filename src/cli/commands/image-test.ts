import { accessSync, constants, existsSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { Duration } from "../../globals.ts";
import { bootCheck, qemuArguments, qemuProgram } from "../../image/qemu.ts";
import { freePort } from "../../image/ssh-server.ts";
import { quote } from "../../kernel/shell.ts";
import { defineCommand } from "../command.ts";

const FIRMWARE = {
  "x86_64-linux": ["/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF_CODE.fd"],
  "aarch64-linux": ["/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "/usr/share/AAVMF/AAVMF_CODE.fd"],
} as const;

export const command = defineCommand({
  arguments: [["<image>", "an .iso or a raw disk image; it is not written to"]],
  options: [
    ["--arch <arch>", "x86_64-linux or aarch64-linux", "x86_64-linux"],
    ["--firmware <file>", "UEFI firmware, or bios; default: where Debian keeps UEFI's, else BIOS"],
    ["--memory <mib>", "memory of the machine", "2048"],
    ["--deadline <duration>", "give up after this long", "15m"],
    [
      "--expect <sign>",
      "ssh: its SSH answers at the address DHCP gives; console: its console says it is up",
      "ssh",
    ],
    ["--log <file>", "where its console goes", "image-test.log"],
    ["--no-kvm", "without hardware help, also where there is some"],
    ["--print", "print the QEMU command only"],
  ],
  examples: ["macula-fleet image test image/iso/maculaos-installer.iso"],
  schema: z.object({
    arch: z.enum(["x86_64-linux", "aarch64-linux"]).default("x86_64-linux"),
    firmware: z.string().optional(),
    memory: z.coerce.number().int().min(256).default(2048),
    deadline: Duration.default(15 * 60_000),
    expect: z.enum(["ssh", "console"]).default("ssh"),
    log: z.string().default("image-test.log"),
    kvm: z.boolean().default(true),
    print: z.boolean().default(false),
  }),
  async run(app, { args, options }) {
    const image = resolve(app.process.cwd, args[0] ?? "");
    if (!existsSync(image))
      throw new FleetError("usage", `there is no image ${image}`, { hint: "macula-fleet image build iso" });
    const { arch, memory } = options;
    const stated = options.firmware ?? FIRMWARE[arch].find((file) => existsSync(file));
    const firmware = stated === "bios" ? undefined : stated;
    const native = arch === (process.arch === "arm64" ? "aarch64-linux" : "x86_64-linux");
    const port = options.expect === "ssh" ? { sshPort: await freePort() } : {};
    const vm = {
      ...port,
      arch,
      image,
      memory,
      kvm: options.kvm && native && mayUseKvm(),
      ...(firmware === undefined ? {} : { firmware }),
    };
    const program = qemuProgram(arch);
    const arguments_ = qemuArguments(vm);
    if (options.print) {
      app.print([program, ...arguments_].map(quote).join(" "));
      return EXIT.ok;
    }
    const log = resolve(app.process.cwd, options.log);
    app.note(
      `booting ${image}${vm.kvm ? "" : " without hardware help: this takes minutes"}; console: ${log}`,
    );
    const ssh = await bootCheck({
      ...port,
      program,
      args: arguments_,
      deadlineMs: options.deadline,
      log,
      signal: app.signal,
    });
    app.print(`${image} comes up${ssh === null ? "" : `: ${ssh} answers`}`);
    return EXIT.ok;
  },
});

function mayUseKvm(): boolean {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
