/** What forbids a conversion before anything is touched; each with what would help. Pure. */
import type { HostFacts } from "../host/protocol.ts";
import type { Refusal } from "../install/checks/index.ts";
import type { Host } from "../inventory/model.ts";
import type { Survey } from "./survey.ts";

interface Gate {
  readonly code: string;
  readonly severity: Refusal["severity"];
  readonly applies: (s: Survey, f: HostFacts, h: Host) => boolean;
  readonly message: (s: Survey, f: HostFacts, h: Host) => string;
  readonly fix: string;
}

/** KiB: nixos-anywhere unpacks its installer below the login's home. */
const HOME_NEEDED = 700_000;

/** Beside those of every installation (`install/checks`). */
export const GATES: readonly Gate[] = [
  {
    code: "not-k3os",
    severity: "refuse",
    applies: (s) => !["maculaos", "k3os", "rancher"].includes(s.os),
    message: (s) => `runs ${s.os || "something unknown"}, not k3OS`,
    fix: "macula-fleet install is for other systems",
  },
  {
    code: "arch",
    severity: "refuse",
    applies: (_, f) => !["x86_64", "aarch64"].includes(f.arch),
    message: (_, f) => `${f.arch} has no NixOS of this fleet`,
    fix: "leave it on k3OS (os: k3os, convert: false)",
  },
  {
    code: "rpi",
    severity: "refuse",
    applies: (_, f, h) => f.bootMode === "rpi" || h.hardware.boot === "rpi",
    message: () => "is a Raspberry Pi, which cannot start another kernel by itself",
    fix: "back it up, write an image (macula-fleet image build sdcard), and restore",
  },
  {
    code: "luks",
    severity: "refuse",
    applies: (s) => s.luks,
    message: () => "has an encrypted partition (LUKS)",
    fix: "decrypt it or back it up by hand, then use macula-fleet install",
  },
  {
    code: "root",
    severity: "refuse",
    applies: (s) => !s.root,
    message: () => "cannot become root without a password",
    fix: "allow sudo without a password for this login",
  },
  {
    code: "tar",
    severity: "refuse",
    applies: (s) => s.tar === "other",
    message: () => "has neither GNU's nor BusyBox's tar: owners and names could not be kept for certain",
    fix: "put GNU tar into its PATH, /usr/local/bin will do",
  },
  {
    code: "setsid",
    severity: "refuse",
    applies: (s) => !s.setsidWait,
    message: () => "its setsid has no --wait, which the installer needs",
    fix: "put util-linux' setsid into its PATH, /usr/local/bin will do",
  },
  {
    code: "host-key",
    severity: "refuse",
    applies: (s) => !s.hostKey,
    message: () => "has no Ed25519 host key to be recognised by afterwards",
    fix: "ssh-keygen -A on the node, then pin the key in the inventory",
  },
  {
    code: "mounts",
    severity: "refuse",
    applies: (s) => s.mounts.length > 0,
    message: (s) =>
      `has other file systems below what is kept, of which nothing would be copied: ${s.mounts.join(", ")}`,
    fix: "move what is on them to where they are mounted and unmount them; unmount at least what may go, or has a disk of its own",
  },
  {
    code: "home-space",
    severity: "refuse",
    applies: (s) => s.homeFree < HOME_NEEDED,
    message: (s) =>
      `has ${Math.round(s.homeFree / 1024)} MiB free for the installer, which needs ${Math.round(HOME_NEEDED / 1024)}`,
    fix: "make room in the login's home directory",
  },
  {
    code: "acls",
    severity: "warn",
    applies: (s) => s.tar !== "other" && !s.acls,
    message: () => "its tar keeps no ACLs and no extended attributes",
    fix: "check whether any volume uses them: getfacl -R -s",
  },
  {
    code: "no-serial",
    severity: "warn",
    applies: (_, __, h) => h.disk.serial === undefined && !h.disk.device.startsWith("/dev/disk/by-id/"),
    message: () => "the inventory names its disk by neither serial nor id",
    fix: "macula-fleet import writes disk.serial",
  },
];

export function judgeConversion(host: Host, facts: HostFacts, survey: Survey): Refusal[] {
  return GATES.flatMap((g) =>
    g.applies(survey, facts, host)
      ? [{ code: g.code, severity: g.severity, message: g.message(survey, facts, host), fix: g.fix }]
      : [],
  );
}
