/** What nixos-anywhere says of itself: `### step ###` lines on stdout, everything else is noise. Pure. */

export function stepOf(line: string): string | null {
  return /^### (.+) ###$/.exec(line.trim())?.[1] ?? null;
}

interface Cause {
  readonly when: RegExp;
  readonly message: string;
  readonly fix: string;
}

/** Failures that can be told apart, most telling first. `when` is matched against the output's end and the last step. */
const CAUSES: readonly Cause[] = [
  {
    when: /No space left on device/i,
    message: "the disk or the installer's memory is full",
    fix: "a smaller closure, or more memory; see --no-disko-deps",
  },
  {
    when: /Permission denied \(publickey/i,
    message: "the machine refuses the key",
    fix: "name the right key: ssh.identityFile in the inventory",
  },
  {
    when: /Too many authentication failures/i,
    message: "too many keys were offered before the right one",
    fix: "name one key: ssh.identityFile in the inventory",
  },
  {
    when: /Failed to kexec into NixOS installer|Kexec failed/i,
    message: "the machine did not come up in the installer",
    fix: "it still has its old system: restart it; then boot it from the installer image",
  },
  {
    when: /unrecognised flag '--print-out-paths'/i,
    message: "Nix on this machine is too old for nixos-anywhere",
    fix: "use Nix 2.26 or newer here",
  },
  {
    when: /lockdown|Operation not permitted.*kexec|kexec.*Operation not permitted/i,
    message: "secure boot or lockdown refuses the installer's kernel",
    fix: "switch secure boot off, or boot from the installer image",
  },
  {
    when: /lacks a signature by a trusted key/i,
    message: "the installer refuses unsigned store paths",
    fix: "sign them: nix store sign, or set the cache's key",
  },
  {
    when: /(device|disk) .* (is busy|in use)|is mounted/i,
    message: "the disk is in use",
    fix: "restart the machine into the installer and try again",
  },
  {
    when: /Could not resolve hostname/i,
    message: "the name of the machine cannot be resolved",
    fix: "use its address in the inventory",
  },
  {
    when: /Connection (refused|timed out)|No route to host/i,
    message: "the machine stopped answering",
    fix: "look at its screen; the same command goes on where it stopped",
  },
  {
    when: /grub-install|bootctl|Failed to install bootloader/i,
    message: "the boot loader could not be installed",
    fix: "check hardware.boot (uefi or bios) in the inventory",
  },
];

export interface Diagnosis {
  readonly message: string;
  readonly fix: string;
}

/** `lines`: the last lines of output, both streams. */
export function diagnose(step: string | null, lines: readonly string[]): Diagnosis {
  const text = lines.join("\n");
  const known = CAUSES.find((c) => c.when.test(text));
  const at = step === null ? "before its first step" : `at "${step}"`;
  const last = lines.findLast((l) => l.trim() !== "" && stepOf(l) === null) ?? "";
  return known
    ? { message: `nixos-anywhere failed ${at}: ${known.message}`, fix: known.fix }
    : {
        message: `nixos-anywhere failed ${at}${last === "" ? "" : `: ${last.trim()}`}`,
        fix: "the log of the run has everything it said",
      };
}
