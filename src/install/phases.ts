/** An installation, in order. k0sctl's idea: the product is a list; what each phase needs and leaves is beside it. */

import type { HostState } from "../rollout/events.ts";
import { anywhere } from "./anywhere/phase.ts";
import type { PhaseContext } from "./context.ts";
import { assertErasable, assertInstaller } from "./gates.ts";
import { kexec } from "./kexec.ts";
import { verify } from "./verify.ts";

export type { PhaseContext } from "./context.ts";

export interface InstallPhase {
  readonly name: string;
  readonly state: HostState;
  readonly intent: string;
  readonly deadlineMs: number;
  /** Once it has begun, the old system is gone. */
  readonly erases?: true;
  readonly skip?: (c: PhaseContext) => boolean;
  /**
   * What must be true before it begins, asked while the machine is still in the state it was in: once `state` is in the
   * journal, `run` may have done its work.
   */
  readonly gate?: (c: PhaseContext, to: Move) => Promise<void>;
  readonly run: (c: PhaseContext, deadlineMs: number) => Promise<void>;
}

/** Journals the state the machine is in from now. */
export type Move = (state: HostState, msg: string) => Promise<void>;

const MINUTE = 60_000;

export const INSTALL_PHASES: readonly InstallPhase[] = [
  {
    name: "kexec",
    state: "kexec",
    intent: "starts the installer in place of the running system",
    deadlineMs: 15 * MINUTE,
    skip: (c) => c.target.inInstaller,
    run: kexec,
  },
  {
    name: "disko",
    state: "partitioning",
    intent: "erases and partitions its disk",
    erases: true,
    deadlineMs: 20 * MINUTE,
    gate: async (c) => {
      await assertErasable(c, await assertInstaller(c));
      // What cannot be had is found out while nothing is lost; it is read again when it is needed.
      await c.secrets();
    },
    run: (c, deadline) => anywhere(c, "disko", deadline),
  },
  {
    name: "install",
    state: "installing",
    intent: "copies and installs the system",
    deadlineMs: 60 * MINUTE,
    run: async (c, deadline) => {
      await assertInstaller(c);
      await anywhere(c, "install", deadline);
    },
  },
  {
    name: "reboot",
    state: "restarting",
    intent: "restarts into the new system",
    deadlineMs: 10 * MINUTE,
    run: (c, deadline) => anywhere(c, "reboot", deadline),
  },
  {
    name: "verify",
    state: "verifying",
    intent: "waits for the new system to prove itself",
    deadlineMs: 10 * MINUTE,
    run: verify,
  },
];
