/** What a simulated closure is and does. [pure] */

/** What happens on a host that activates a system, see `activation.ts` and `power.ts`. */
export const BEHAVIOURS = [
  "good",
  "bad-health", // activates, then one of its units fails: exit 4
  "activation-fails", // its activation script fails: exit 2
  "needs-reboot", // cannot be switched to live: exit 100; fine after a reboot
  "cuts-network", // the host is unreachable while it runs
  "no-boot", // needs a reboot, and the boot into it hangs
  "no-build", // the closure source refuses to build it
] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** The content of a simulated toplevel: it travels with the closure, as a real system's behaviour does. */
export interface SystemDescription {
  readonly host: string;
  readonly revision: string;
  readonly behaviour: Behaviour;
  /** `26.05.lab-r2`; always says lab. */
  readonly version: string;
  readonly kernel: string;
}

/** One valid path of a simulated store. */
export interface StoreEntry {
  readonly path: string;
  /** Bytes, NAR size. */
  readonly size: number;
  readonly refs: readonly string[];
  /** Present on toplevels. */
  readonly system?: SystemDescription;
}

/** The unit that fails in a `bad-health` system, and that every lab system has. */
export const LAB_UNIT = "macula-node.service";
