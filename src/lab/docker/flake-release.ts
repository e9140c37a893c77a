/** What the lab's releases do, in the words of the simulator, as data for the lab's flake. [pure] */
import type { Behaviour } from "../machine/system.ts";

/** See flake/lib/release.nix. */
export interface ReleaseFault {
  readonly unitFails?: boolean;
  /** Seconds after which the unit, having started well, crashes. */
  readonly crashAfter?: number;
  /** Exit status of the activation script. */
  readonly activateExit?: number;
  /** Seconds the activation takes longer. */
  readonly sleep?: number;
  /** sshd and every session end during activation; sshd is back at its end. */
  readonly killSshd?: boolean;
  /** The same, but sshd stays away until another system is activated. */
  readonly loseSshd?: boolean;
  readonly dropNetwork?: boolean;
  /** A switch inhibitor: only a reboot leads to this system. */
  readonly inhibited?: boolean;
  readonly initChanges?: boolean;
  readonly kernelChanges?: boolean;
  readonly bootloaderFails?: boolean;
  readonly noBoot?: boolean;
  /** Comes up as far as PID 1 and no further. */
  readonly bootHangs?: boolean;
  /** Added to the kernel's command line. */
  readonly kernelParams?: readonly string[];
  readonly noBuild?: boolean;
}

/** Content of release.json. */
export interface ReleaseFile {
  readonly name: string;
  readonly fault: ReleaseFault;
  readonly hosts: Readonly<Record<string, { readonly fault: ReleaseFault }>>;
}

const FAULTS: Readonly<Record<Behaviour, ReleaseFault>> = {
  good: {},
  "bad-health": { unitFails: true },
  "activation-fails": { activateExit: 1 },
  "needs-reboot": { initChanges: true, kernelChanges: true },
  "cuts-network": { dropNetwork: true },
  "no-boot": { noBoot: true },
  "no-build": { noBuild: true },
};

/** A release that behaves so on `hosts` (absent: everywhere) and well elsewhere. */
export function releaseFile(name: string, behaviour: Behaviour, hosts?: readonly string[]): ReleaseFile {
  return releaseWith(name, FAULTS[behaviour], hosts);
}

export function releaseWith(name: string, fault: ReleaseFault, hosts?: readonly string[]): ReleaseFile {
  if (hosts === undefined) return { name, fault, hosts: {} };
  return { name, fault: {}, hosts: Object.fromEntries(hosts.map((host) => [host, { fault }])) };
}
