/** What can be made to go wrong with a lab host (contract §8). [pure] */

export const FAULT_KINDS = [
  "unreachable",
  "drop-on-activate",
  "bad-health",
  "not-ready",
  "no-consent",
  "disk-full",
  "slow",
  "hang",
  "wrong-host-key",
  "no-boot",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** For `--help` and for what `lab fault` prints. */
export const FAULT_HELP: Readonly<Record<FaultKind, string>> = {
  unreachable: "refuses every connection",
  "drop-on-activate": "loses its network when an activation begins, until it reverts itself",
  "bad-health": "one of its units fails after every activation",
  "not-ready": "answers every health check with not now",
  "no-consent": "a program of its owner answers not now before every activation",
  "disk-full": "has no room left in its store",
  slow: "answers every command a second late and receives slowly",
  hang: "accepts commands and never answers",
  "wrong-host-key": "presents another host key than the recorded one",
  "no-boot": "needs a reboot for any new system, and hangs in that boot",
};
