/** Is this machine fit to be installed? One rule per trouble people met (deployers.md §3.10); a new one is one entry. Pure. */
import type { HostFacts } from "../../host/protocol.ts";
import type { Host } from "../../inventory/model.ts";

export interface Refusal {
  readonly code: string;
  readonly severity: "refuse" | "warn";
  readonly message: string;
  readonly fix: string;
}

interface Rule {
  readonly code: string;
  readonly severity: Refusal["severity"];
  readonly applies: (facts: HostFacts, host: Host) => boolean;
  readonly message: (facts: HostFacts, host: Host) => string;
  readonly fix: string;
}

/** KiB: below this the installer's memory file system is too small for a closure (nixos-anywhere#348, #609). */
const LEAST_MEMORY = 1_500_000;
const NEEDED_TOOLS = ["tar", "cpio", "setsid"];

const inInstaller = (f: HostFacts) => f.os.variant === "installer";
const missingTools = (f: HostFacts) => NEEDED_TOOLS.filter((tool) => !f.tools.includes(tool));

export const RULES: readonly Rule[] = [
  {
    code: "identity",
    severity: "refuse",
    applies: (f, h) => isAnotherMachine(f, h),
    message: (f, h) =>
      `is not the machine the inventory knows (${h.identity.mac ?? h.identity.serial}): this one has ${[...f.macs, f.serial].filter(Boolean).join(", ")}`,
    fix: "correct its address; or, if the hardware was replaced: macula-fleet replace",
  },
  {
    code: "arch",
    severity: "refuse",
    applies: (f, h) => f.arch !== h.arch.replace("-linux", ""),
    message: (f, h) => `is ${f.arch}, the inventory says ${h.arch}`,
    fix: "correct arch in the inventory",
  },
  {
    code: "container",
    severity: "refuse",
    applies: (f) => f.container !== "none" && f.container !== "",
    message: (f) => `is a ${f.container} container: it has no kernel of its own to replace`,
    fix: "install on the machine itself",
  },
  {
    code: "elevation",
    severity: "refuse",
    applies: (f) => f.elevation === "none",
    message: () => "cannot become root without a password",
    fix: "log in as root, or allow sudo or doas without a password for this user",
  },
  {
    code: "sudo",
    severity: "refuse",
    applies: (f) => !inInstaller(f) && f.elevation === "doas" && f.tools.includes("sudo"),
    message: () => "becomes root with doas only, but nixos-anywhere uses sudo wherever there is one",
    fix: "log in as root, or allow this user sudo without a password for the installation",
  },
  {
    code: "memory",
    severity: "refuse",
    applies: (f) => f.memory < LEAST_MEMORY,
    message: (f) => `has ${Math.round(f.memory / 1024)} MiB of memory; the installer needs 1.5 GB`,
    fix: "use a disk image instead: macula-fleet image build",
  },
  {
    code: "boot-mode",
    severity: "refuse",
    applies: (f, h) => f.bootMode !== h.hardware.boot,
    message: (f, h) => `booted through ${f.bootMode}, the inventory says ${h.hardware.boot}`,
    fix: "correct hardware.boot in the inventory, or the firmware's setting",
  },
  {
    code: "kexec",
    severity: "refuse",
    applies: (f) => !inInstaller(f) && !f.kexec,
    message: (f) =>
      f.secureBoot || f.lockdown !== "none"
        ? "secure boot or kernel lockdown refuses another kernel"
        : "its kernel does not allow kexec",
    fix: "boot it from the installer image: macula-fleet image build iso",
  },
  {
    code: "secure-boot",
    severity: "warn",
    applies: (f) => inInstaller(f) && f.secureBoot,
    message: () => "has secure boot on: the installed system is not signed and may not start",
    fix: "switch secure boot off in its firmware",
  },
  {
    code: "wifi",
    severity: "refuse",
    applies: (f) => !inInstaller(f) && ["wifi", "tunnel", "mobile"].includes(f.uplink.kind),
    message: (f) =>
      `is reached over ${f.uplink.kind} (${f.uplink.device}), which the installer does not bring up again`,
    fix: "connect it by cable for the installation",
  },
  {
    code: "bridge",
    severity: "warn",
    applies: (f) => !inInstaller(f) && ["bridge", "bond"].includes(f.uplink.kind),
    message: (f) =>
      `is reached over a ${f.uplink.kind} (${f.uplink.device}): the installer brings up plain interfaces only`,
    fix: "make sure that its address is also served on the plain interface",
  },
  {
    code: "tools",
    severity: "refuse",
    applies: (f) => !inInstaller(f) && missingTools(f).length > 0,
    message: (f) => `lacks ${missingTools(f).join(", ")}`,
    fix: "install them on the running system first",
  },
];

function isAnotherMachine(f: HostFacts, { identity }: Host): boolean {
  const macs = f.macs.map((m) => m.toLowerCase());
  if (identity.mac !== undefined && macs.length > 0 && !macs.includes(identity.mac.toLowerCase()))
    return true;
  return identity.serial !== undefined && f.serial !== "" && f.serial !== identity.serial;
}

export function judge(host: Host, facts: HostFacts): Refusal[] {
  return RULES.flatMap((rule) =>
    rule.applies(facts, host)
      ? [{ code: rule.code, severity: rule.severity, message: rule.message(facts, host), fix: rule.fix }]
      : [],
  );
}
