import type { HostDriver, HostOperations } from "../host/driver.ts";
import type { CheckConfig, Host } from "../inventory/model.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Target } from "../transport/transport.ts";
import type { HostIdentity } from "./identity.ts";
import type { InstallTarget } from "./plan.ts";
import type { SecretFile } from "./secrets/gather.ts";
import type { AddressHints, Place } from "./whereabouts.ts";

/** What the phases of one machine's installation share. */
export interface PhaseContext {
  /** As the inventory has it. */
  readonly host: Host;
  readonly target: InstallTarget;
  readonly identity: HostIdentity;
  /** Private to this machine and run; removed when the installation has ended. */
  readonly workDir: string;
  readonly driver: Pick<HostDriver, "observe" | "check"> & Pick<HostOperations, "facts">;
  readonly targetOf: (host: Host) => Target;
  readonly checks: readonly CheckConfig[];
  readonly secrets: () => Promise<readonly SecretFile[]>;
  /** More files for the new system: a directory whose tree is laid over its root before the identity and the secrets. */
  readonly overlay?: string;
  /** Further options for nixos-anywhere. */
  readonly options?: readonly string[];
  readonly program: readonly string[];
  readonly kexec?: string;
  readonly pathVariable: string | undefined;
  /** The lab's stand-in finds a machine by its address and port and runs no ssh. */
  readonly standIn: boolean;
  readonly hints: AddressHints;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Shown and journalled. */
  readonly note: (text: string) => void;
  /** To the machine's log file. */
  readonly log: (line: string) => void;
  /** Where the installer answers, once that is another place than the inventory's. */
  place: Place | null;
}

/** Keys the machine has proved or told of: its installer keeps them. */
export const keysOf = (c: Pick<PhaseContext, "target" | "host">): readonly string[] => [
  ...new Set([...c.host.identity.hostKeys, ...c.target.hostKeys]),
];
