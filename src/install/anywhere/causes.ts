/** Failures of nixos-anywhere that can be told apart, most telling first; a new one is an entry here and a case. Pure. */

interface Cause {
  /** Matched against the end of the output. */
  readonly when: RegExp;
  /** Only at this step. */
  readonly at?: RegExp;
  readonly message: string;
  readonly fix: string;
}

const AGAIN = "macula-fleet install --continue goes on where it stopped";

export const CAUSES: readonly Cause[] = [
  {
    when: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|host key for .* has changed/i,
    message: "another host key than the pinned one was presented",
    fix: "another machine answers at this address, or somebody is in between; compare keys at its console before going on",
  },
  {
    when: /Could not resolve hostname \S+\.macula-fleet\.invalid/i,
    message: "this nixos-anywhere brings its own ssh, which cannot be made to check host keys",
    fix: "use one that takes ssh from PATH: the nixpkgs package, or the script itself, with --nixos-anywhere PATH",
  },
  {
    when: /Too many authentication failures/i,
    message: "too many keys were offered before the right one",
    fix: "name one key: ssh.identityFile in the inventory",
  },
  {
    when: /Permission denied \((publickey|password|keyboard)/i,
    message: "the machine refuses the key",
    fix: "name the right key: ssh.identityFile in the inventory; in an installer root needs it",
  },
  {
    when: /sudo: (a password is required|a terminal is required)|doas: (Authorization required|Operation not permitted)/i,
    message: "the user cannot become root without a password",
    fix: "log in as root, or allow sudo or doas without a password for the installation",
  },
  {
    when: /Unable to find a command to use to escalate privileges/i,
    message: "the user is not root and there is neither sudo nor doas",
    fix: "log in as root: user: root",
  },
  {
    when: /unrecognised flag '--print-out-paths'|experimental Nix feature .* is disabled|unrecognised flag/i,
    message: "Nix on this machine is too old for nixos-anywhere",
    fix: "use Nix 2.26 or newer here",
  },
  {
    when: /must be existing store-paths/i,
    message: "what was built has been collected as garbage on this machine",
    fix: "build it again: macula-fleet install (without --continue)",
  },
  {
    when: /no (tar|cpio|setsid) command/i,
    message: "the running system lacks a tool that starting the installer needs (tar, cpio, setsid --wait)",
    fix: "install it there, or boot the machine from the installer image: macula-fleet image build iso",
  },
  {
    when: /This script requires Linux/i,
    message: "the machine does not run Linux",
    fix: "boot it from the installer image: macula-fleet image build iso",
  },
  {
    when: /Unsupported architecture/i,
    message: "there is no ready installer for its architecture",
    fix: "name one with --kexec TARBALL, or use an image",
  },
  {
    when: /lockdown|Key was rejected by service|kexec_(file_)?load.*(Operation not permitted|failed)|Operation not permitted.*kexec/i,
    message: "secure boot or kernel lockdown refuses the installer's kernel",
    fix: "switch secure boot off, or boot from the installer image",
  },
  {
    when: /syscall kexec_file_load not available|kexec-syscall-auto|Function not implemented/i,
    at: /kexec/i,
    message: "its kernel is too old for this installer's kexec",
    fix: "boot it from the installer image, or name another tarball with --kexec",
  },
  {
    when: /gzip: stdin: (not in gzip format|unexpected end of file)|tar: (Child returned|Error is not recoverable|This does not look like a tar)|curl: \(22\)|ERROR 404|HTTP.* 404/i,
    at: /kexec/i,
    message: "the installer's tarball is missing or damaged",
    fix: "fetch it again, or name a good one with --kexec TARBALL",
  },
  {
    when: /curl: \((6|7|28|35|60)\)|wget: unable to resolve|Temporary failure in name resolution|unable to resolve host address/i,
    at: /kexec/i,
    message: "the machine cannot fetch the installer from the internet",
    fix: "download the tarball once and name it: --kexec FILE (it is then sent from here)",
  },
  {
    when: /No space left on device|Disk quota exceeded/i,
    at: /kexec/i,
    message: "there is no room for the installer in the user's home",
    fix: "free about 500 MB there, or boot from the installer image",
  },
  {
    when: /No space left on device/i,
    at: /disko/i,
    message: "the installer's memory is full: too little RAM for the disk tools",
    fix: "use an image for this machine (macula-fleet image build), or give it more memory (1.5 GB)",
  },
  {
    when: /No space left on device/i,
    message: "the disk is too small for the system",
    fix: "a larger disk, or a smaller system",
  },
  {
    when: /Cannot allocate memory|Out of memory|Killed process|std::bad_alloc/i,
    message: "the machine ran out of memory",
    fix: "it needs 1.5 GB; use an image for it: macula-fleet image build",
  },
  {
    when: /Failed to kexec into NixOS installer|Kexec failed|Kexec may have failed/i,
    message: "the machine did not start the installer",
    fix: "it still has its old system, nothing is lost: look at its screen, then boot it from the installer image",
  },
  {
    when: /lacks a (signature by a trusted key|valid signature)/i,
    message: "the installer refuses unsigned store paths",
    fix: "sign them: nix store sign, or set the cache's key",
  },
  {
    when: /(device|disk|resource).{0,40}(busy|in use)|is mounted|apparently in use by the system/i,
    at: /disko/i,
    message: "the disk is in use",
    fix: "restart the machine into the installer and try again",
  },
  {
    when: /(\/dev\/\S+).{0,30}(No such file or directory|does not exist|not found)|cannot open .?\/dev\//i,
    at: /disko/i,
    message:
      "the disk of the inventory is not there in the installer: renamed, or its controller is not supported",
    fix: "look: macula-fleet exec -- ls -l /dev/disk/by-id; then correct disk.device",
  },
  {
    when: /grub-install|bootctl|Failed to install boot ?loader|efivarfs|EFI variables are not supported/i,
    at: /Installing NixOS/i,
    message: "the boot loader could not be installed",
    fix: "check hardware.boot (uefi or bios) in the inventory",
  },
  {
    when: /nixos-install: (command )?not found|\/mnt is not (a mountpoint|mounted)/i,
    message: "the machine is not an installer with its disk mounted",
    fix: "run the installation again from the start: macula-fleet install --reinstall",
  },
  {
    when: /Could not resolve hostname/i,
    message: "the name of the machine cannot be resolved",
    fix: "use its address in the inventory",
  },
  {
    when: /Connection refused/i,
    message: "nothing listens for ssh there",
    fix: `look at the machine's screen; ${AGAIN}`,
  },
  {
    when: /Connection (timed out|closed|reset)|No route to host|Operation timed out|Broken pipe|Timeout, server .* not responding/i,
    message: "the machine stopped answering",
    fix: `look at its screen; ${AGAIN}`,
  },
];

/** Steps nixos-anywhere would wait at for ever: what that means when nothing else was said. */
export const WAITS: readonly { readonly at: RegExp; readonly message: string; readonly fix: string }[] = [
  {
    at: /Uploading install SSH keys/,
    message: "nobody could log in",
    fix: "is the machine on, and is the key right? try: macula-fleet ssh HOST",
  },
  {
    at: /Switching system into kexec/,
    message: "the machine did not come back as an installer: another address, or it hangs",
    fix: "look at its screen; a power cycle brings the old system back, nothing is lost",
  },
  {
    at: /Waiting for the machine to become unreachable|Rebooting/,
    message: "the machine does not restart",
    fix: "restart it by hand; the installation is complete on its disk, macula-fleet install --continue verifies it",
  },
  {
    at: /Uploading the system closure/,
    message: "copying the system takes too long",
    fix: "allow more time: --phase-deadline 3h; what was copied is kept",
  },
];
